// A time for people: 7.0 s, 1:05.2, 1:02:03.4.
function clock(timeS) {
  const tenths = Math.max(0, Math.round(timeS * 10));
  if (tenths < 600) return `${(tenths / 10).toFixed(1)} s`;
  const hours = Math.floor(tenths / 36000);
  const minutes = Math.floor(tenths / 600) % 60;
  const seconds = ((tenths % 600) / 10).toFixed(1).padStart(4, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${seconds}` : `${minutes}:${seconds}`;
}

const shortClock = (timeS) => clock(timeS).replace(/\.0(?=$| s)/, "");

function spanText([startS, endS]) {
  const [start, end] = [clock(startS), clock(endS)];
  return `${start.endsWith(" s") && end.endsWith(" s") ? start.slice(0, -2) : start} – ${end}`;
}
