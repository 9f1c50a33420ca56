// The box for a video: upload one, or take an example. `props.value` is {example} or a file as Gradio names uploads;
// the server answers with the same value, or with {refused: why}, and then the video before stays chosen.
let accepted = props.value;
let sending = null;

function refuse(text) {
  find("refused").hidden = !text;
  find("refused").textContent = text || "";
}

// Let the server open a video.
function choose(value) {
  refuse("");
  props.value = value;
  trigger("take");
}

function send(file) {
  if (!file || sending) return;
  if (file.size > props.max_mb * 1e6) return refuse(`${file.name}: ${Math.ceil(file.size / 1e6)} MB, and at most ${props.max_mb} are taken; cut or re-encode it.`);
  refuse("");
  const form = new FormData();
  form.append("files", file);
  sending = new XMLHttpRequest();
  sending.open("POST", `${window.gradio_config?.root || ""}/gradio_api/upload`);
  sending.upload.onprogress = (event) => showUpload(file.name, event.loaded / event.total);
  sending.onload = () => {
    const said = sending;
    endUpload();
    if (said.status === 200) choose({ path: JSON.parse(said.responseText)[0], orig_name: file.name, size: file.size, meta: { _type: "gradio.FileData" } });
    else refuse(`${file.name} was not taken: ${said.status === 413 ? "it is too large" : "the server refused it"}.`);
  };
  sending.onerror = () => (endUpload(), refuse(`${file.name}: the connection broke off. Try again.`));
  sending.onabort = endUpload;
  showUpload(file.name, 0);
  sending.send(form);
}

function showUpload(name, share) {
  find("upload").hidden = false;
  find("upload-text").textContent = share < 1 ? `Uploading ${name}: ${Math.round(100 * share)} %` : `${name} is uploaded.`;
  element.querySelector("progress").value = share;
}

function endUpload() {
  sending = null;
  find("upload").hidden = true;
  find("file").value = ""; // so that the same file can be chosen again
}

function example(data, number) {
  const image = make("img", "tg-poster");
  image.src = data.poster;
  image.alt = "";
  const words = make("span", "tg-words", make("strong", "", data.name), make("span", "tg-length", ` ${shortClock(data.duration_s)}`));
  const queries = make("span", "tg-queries", data.queries.join(" · "));
  const taken = button("tg-example", image, () => sending || choose({ example: number }));
  taken.append(make("span", "tg-told", words, queries));
  taken.id = `tg-example-${number + 1}`;
  return make("li", "", taken);
}

function draw() {
  const value = props.value || {};
  element.querySelectorAll(".tg-example").forEach((one, number) => one.setAttribute("aria-pressed", value.example === number));
  find("chosen").textContent = value.orig_name || "Take your own video";
  find("how").textContent = value.orig_name ? " is chosen. Drop another one here." : " or drop it here.";
}

// The server has answered.
function answered() {
  if (props.value?.refused) {
    refuse(props.value.refused);
    props.value = accepted;
  } else accepted = props.value;
  draw();
}

const drop = find("drop");
find("file").onchange = (event) => send(event.target.files[0]);
find("stop").onclick = () => sending?.abort();
drop.ondragover = (event) => (event.preventDefault(), drop.classList.add("tg-over"));
drop.ondragleave = () => drop.classList.remove("tg-over");
drop.ondrop = (event) => {
  event.preventDefault();
  drop.classList.remove("tg-over");
  send(event.dataTransfer.files[0]);
};
find("limits").textContent = props.limits;
find("examples").append(...props.examples.map(example));
watch("value", answered);
draw();
