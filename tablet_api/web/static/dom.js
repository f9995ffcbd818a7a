// The little of the DOM that the page needs. Whatever comes from outside is set as text, never as markup.

export const $ = (id) => document.getElementById(id);

export function make(name, className, text) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

export const clone = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);

// Writes only what differs, so that a screen reader or a selection is not disturbed.
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// A sign: the colour as a class, the digits as text. Without a sign it is an empty ring.
export function paintSign(element, one) {
  element.className = one.sign_colour ? `sign ${one.sign_colour}` : "sign none";
  write(element, one.sign_digits ?? "");
}

// Brings the children of `parent` into the order of `elements` by moving as few as possible. True if any moved.
export function arrange(parent, elements) {
  const focused = document.activeElement;
  let moved = false;
  elements.forEach((element, index) => {
    if (parent.children[index] !== element) {
      parent.insertBefore(element, parent.children[index] ?? null);
      moved = true;
    }
  });
  while (parent.children.length > elements.length) parent.lastElementChild.remove();
  if (moved && focused && parent.contains(focused) && document.activeElement !== focused) {
    focused.focus({ preventScroll: true });
  }
  return moved;
}

let hide = 0;

export function toast(text) {
  const element = $("toast");
  element.textContent = text;
  element.classList.add("shown");
  clearTimeout(hide);
  hide = setTimeout(() => {
    element.classList.remove("shown");
    element.textContent = "";
  }, 4500);
}
