// The head of the page: what it is, and which model answers; `props.value` is what page.py `model_facts` makes.
find("model-name").textContent = props.value.model;
find("model-knows").textContent = props.value.knows;
const parts = (props.value.warning || "").split(/(--\S+ [\w./-]+)/); // what to type is not broken into lines
find("model-warning").append(...parts.map((text, number) => (number % 2 ? make("code", "tg-type", text) : text)));
find("model-warning").hidden = !props.value.warning;
