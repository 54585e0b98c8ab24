// A chart as a picture for a report: white, with a title, its range and a legend.

import { Chart } from "./chart.js";

const [MARGIN, LINE, SAMPLE, BETWEEN] = [24, 20, 30, 24]; // px

/** A PNG, as a Blob.  *looks* and *series* are called with the element that has the colours. */
export async function pictured({ title, about, names, looks, series, range }) {
  const report = document.createElement("div"); // has the colours of the light page
  report.className = "report";
  report.setAttribute("aria-hidden", "true");
  const element = document.createElement("div");
  element.className = "chart";
  report.append(element);
  document.body.append(report);
  const chart = new Chart(element, {});
  try {
    chart.show(series(report), range);
    await chart.ready;
    await new Promise((drawn) => { requestAnimationFrame(() => requestAnimationFrame(drawn)); });
    const canvas = composed(element, title, about, names, looks(report));
    return await new Promise((done) => { canvas.toBlob(done, "image/png"); });
  } finally {
    chart.remove();
    report.remove();
  }
}

function composed(element, title, about, names, looks) {
  const style = getComputedStyle(element);
  const [text, soft] = ["--text", "--soft"].map((name) => style.getPropertyValue(name).trim());
  const font = (size) => size + "px " + style.fontFamily;
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  const width = element.offsetWidth;
  context.font = "600 " + font(16);
  const heads = inLines(title.split(" ").map((word) => [word, context.measureText(word + " ").width]),
    width);
  context.font = font(13);
  const entries = inLines(names.map((name, n) => [
    { name, ...looks[n] }, SAMPLE + 30 + context.measureText(name).width + BETWEEN]), width);
  const top = MARGIN + (heads.length + 1) * LINE + 8;
  const bottom = top + element.offsetHeight + 8;
  const scale = window.devicePixelRatio || 1;
  canvas.width = (width + 2 * MARGIN) * scale;
  canvas.height = (bottom + entries.length * LINE + MARGIN) * scale;
  context.scale(scale, scale);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.textBaseline = "middle";
  context.fillStyle = text;
  context.font = "600 " + font(16);
  heads.forEach((line, n) => context.fillText(
    line.map(({ what }) => what).join(" "), MARGIN, MARGIN + (n + 0.5) * LINE));
  context.fillStyle = soft;
  context.font = font(13);
  context.fillText(about, MARGIN, MARGIN + (heads.length + 0.5) * LINE);
  context.save();
  context.translate(MARGIN, top);
  draw(context, element);
  context.restore();
  entries.forEach((line, n) => line.forEach(({ what, x }) => {
    const y = bottom + (n + 0.5) * LINE;
    mark(context, what, MARGIN + x, y, font(10));
    context.strokeStyle = what.colour;
    context.lineWidth = 2.4;
    context.setLineDash(what.dash);
    context.beginPath();
    context.moveTo(MARGIN + x + 22, y);
    context.lineTo(MARGIN + x + 22 + SAMPLE, y);
    context.stroke();
    context.setLineDash([]);
    context.fillStyle = text;
    context.font = font(13);
    context.fillText(what.name, MARGIN + x + 30 + SAMPLE, y);
  }));
  return canvas;
}

/** Arrange [[what, width]] in lines of at most *width*: [[{what, x}]]. */
function inLines(all, width) {
  const lines = [[]];
  let x = 0;
  for (const [what, own] of all) {
    if (x && x + own > width) {
      lines.push([]);
      x = 0;
    }
    lines[lines.length - 1].push({ what, x });
    x += own;
  }
  return lines;
}

/** Draw the parts of the chart in *element* at their places. */
function draw(context, element) {
  const origin = element.getBoundingClientRect();
  const place = (part) => {
    const { left, top, width, height } = part.getBoundingClientRect();
    return { x: left - origin.left, y: top - origin.top, width, height };
  };
  element.querySelectorAll("canvas").forEach((part) => {
    const { x, y, width, height } = place(part);
    context.drawImage(part, x, y, width, height);
  });
  element.querySelectorAll("svg").forEach((part) => {
    const { x, y } = place(part);
    context.save();
    context.translate(x, y);
    Array.from(part.children).forEach((shape) => drawShape(context, shape));
    context.restore();
  });
  element.querySelectorAll(".title").forEach((part) => {
    const { x, y, height } = place(part);
    const style = getComputedStyle(part);
    context.fillStyle = style.color;
    context.font = "600 12px " + style.fontFamily;
    context.fillText(part.textContent, x + 4, y + height / 2);
  });
  element.querySelectorAll(".ends .mark").forEach((part) => {
    const { x, y, height } = place(part);
    const { borderTopColor, fontFamily } = getComputedStyle(part);
    const what = { mark: part.textContent, colour: borderTopColor };
    mark(context, what, x, y + height / 2, "10px " + fontFamily);
  });
}

/** Draw a part of the chart's SVG: a rectangle, line, curve or text. */
function drawShape(context, shape) {
  const number = (name) => Number(shape.getAttribute(name));
  const { fill, stroke, strokeWidth, fontFamily } = getComputedStyle(shape);
  if (shape.tagName === "text") {
    context.fillStyle = fill;
    context.font = "12px " + fontFamily;
    context.textBaseline = "alphabetic";
    context.textAlign = { middle: "center" }[shape.getAttribute("text-anchor")] ||
      shape.getAttribute("text-anchor");
    context.fillText(shape.textContent, number("x"), number("y"));
    context.textAlign = "start";
    context.textBaseline = "middle";
    return;
  }
  const path = new Path2D(shape.getAttribute("d") || "");
  if (shape.tagName === "rect") path.rect(number("x"), number("y"), number("width"), number("height"));
  if (shape.tagName === "line") {
    path.moveTo(number("x1"), number("y1"));
    path.lineTo(number("x2"), number("y2"));
  }
  context.strokeStyle = stroke;
  context.lineWidth = parseFloat(strokeWidth);
  const dash = shape.getAttribute("stroke-dasharray");
  context.setLineDash(dash ? dash.split(" ").map(Number) : []);
  context.stroke(path);
  context.setLineDash([]);
}

/** Draw a curve's number in a frame of its colour, from *x*, with its middle at *y*. */
function mark(context, { mark: text, colour }, x, y, font) {
  context.font = "600 " + font;
  const width = Math.max(15, context.measureText(text).width + 8);
  context.fillStyle = "#fff";
  context.fillRect(x, y - 7.5, width, 15);
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.strokeRect(x + 1, y - 6.5, width - 2, 13);
  context.fillStyle = "#15212a";
  context.textAlign = "center";
  context.fillText(text, x + width / 2, y + 0.5);
  context.textAlign = "start";
}
