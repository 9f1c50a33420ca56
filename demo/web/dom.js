// What the scripts of the page share; page.py puts it before each of them.
// Whatever a user wrote (queries, file names, answers) enters the page through textContent only: it is never markup.
function make(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}
