// svg makes one SVG element.
export function svg(tag, attributes, parent, text) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  if (text !== undefined) e.textContent = text;
  parent?.append(e);
  return e;
}

// Patterns tell faults apart without colour.
export function patterns(root) {
  const defs = svg("defs", {}, root);
  const pattern = (id, size, d, width) => {
    const p = svg("pattern", { id, width: size, height: size, patternUnits: "userSpaceOnUse" }, defs);
    svg("rect", { width: size, height: size, class: "badfill" }, p);
    svg("path", { d, class: "bad", "stroke-width": width, fill: "none" }, p);
  };
  pattern("silent", 8, "M-2,2 l4,-4 M0,8 l8,-8 M6,10 l4,-4", 1.6);
  pattern("frozen", 8, "M0,4 h8", 1.6);
  pattern("cut", 8, "M0,0 l8,8 M8,0 l-8,8", 1.2);
  pattern("nobody", 6, "M3,0 v6", 1.2);
}
