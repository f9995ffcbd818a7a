// The one policy of trusted types. Markup is taken in one place only: where htmx parses what the store's own box sent,
// in a document of its own in which nothing runs. innerHTML and its like stay refused, as all scripts do.
const INERT = new Set(["Document parseHTMLUnsafe", "DOMParser parseFromString"]);

window.trustedTypes?.createPolicy("default", {
  createHTML: (text, type, sink) => (INERT.has(sink) ? text : null),
});
