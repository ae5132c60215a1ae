/* A model's card, from its Markdown: headings, paragraphs, lists, tables and code, as elements and never as HTML text.
   Pictures are left out, and so is a heading that has nothing else below it. */
import { html, useMemo } from "../../lib/html.js";

const FENCE = /^\s*(```|~~~)/, HEADING = /^(#{1,6})\s+(.*?)\s*#*$/, CODE = /^(?: {4}|\t)/;
const BULLET = /^\s{0,3}[-*+]\s+/, NUMBERED = /^\s{0,3}\d{1,9}[.)]\s+/, RULE = /^\|?(?:\s*:?-{2,}:?\s*\|)+\s*(?::?-{2,}:?)?\s*\|?$/;
const INLINE = /(!\[[^\]]*\]\([^)]*\))|`([^`]+)`|\*\*(.+?)\*\*|\*([^*\s][^*]*)\*|\[([^\]]+)\]\(([^)\s]+)\)/g;
const SHIFT = 2; /* the page's own headings stand above a card's */

export function Markdown({ source }) {
  const blocks = useMemo(() => withoutEmpty(blocksOf(source.split(/\r?\n/))), [source]);
  return html`<div class="sys-markdown">${blocks.map(drawn)}</div>`;
}

/* [{kind, …}], from the lines. */
function blocksOf(lines) {
  const blocks = [];
  for (let at = 0; at < lines.length;) {
    const [block, next] = blockAt(lines, at);
    if (block) blocks.push(block);
    at = next;
  }
  return blocks;
}

function blockAt(lines, at) {
  const line = lines[at], heading = HEADING.exec(line);
  if (!line.trim()) return [null, at + 1];
  if (FENCE.test(line)) {
    const end = lines.findIndex((each, number) => number > at && FENCE.test(each));
    const stop = end < 0 ? lines.length : end;
    return [{ kind: "code", text: lines.slice(at + 1, stop).join("\n") }, stop + 1];
  }
  if (heading) return [{ kind: "heading", level: heading[1].length, text: heading[2] }, at + 1];
  if (CODE.test(line)) {
    const end = run(lines, at, (each) => CODE.test(each));
    return [{ kind: "code", text: lines.slice(at, end).map((each) => each.replace(CODE, "")).join("\n") }, end];
  }
  if (line.startsWith("|") && RULE.test(lines[at + 1] ?? "")) {
    const end = run(lines, at, (each) => each.startsWith("|"));
    return [{ kind: "table", head: cellsOf(line), rows: lines.slice(at + 2, end).map(cellsOf) }, end];
  }
  for (const [mark, kind] of [[BULLET, "ul"], [NUMBERED, "ol"]]) {
    if (mark.test(line)) return listAt(lines, at, mark, kind);
  }
  const end = run(lines, at, (each, number) => each.trim() && (number === at || !(HEADING.test(each) || FENCE.test(each) || BULLET.test(each) || each.startsWith("|"))));
  const words = lines.slice(at, end).join(" ").replace(/!\[[^\]]*\]\([^)]*\)/g, "").trim();
  return [words ? { kind: "text", text: words } : null, end];
}

/* A list: what is indented below an item belongs to it. */
function listAt(lines, at, mark, kind) {
  const items = [];
  let end = at;
  for (; end < lines.length && lines[end].trim(); end += 1) {
    if (mark.test(lines[end])) items.push(lines[end].replace(mark, ""));
    else items[items.length - 1] += ` ${lines[end].trim()}`;
  }
  return [{ kind, items }, end];
}

function run(lines, at, isOf) {
  let end = at;
  while (end < lines.length && isOf(lines[end], end)) end += 1;
  return Math.max(end, at + 1);
}

const cellsOf = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());

/* Headings stay that have something below them, or a smaller heading that has. */
function withoutEmpty(blocks) {
  return blocks.filter((block, at) => {
    if (block.kind !== "heading") return true;
    const after = blocks.slice(at + 1);
    const end = after.findIndex((each) => each.kind === "heading" && each.level <= block.level);
    return (end < 0 ? after : after.slice(0, end)).some((each) => each.kind !== "heading");
  });
}

function drawn(block, key) {
  switch (block.kind) {
    case "heading": {
      const Level = `h${Math.min(6, block.level + SHIFT)}`;
      return html`<${Level} key=${key} class=${`level-${block.level}`}>${inline(block.text)}<//>`;
    }
    case "code": return html`<pre key=${key} tabindex="0"><code>${block.text}</code></pre>`;
    case "ul": return html`<ul key=${key}>${block.items.map((item) => html`<li>${inline(item)}</li>`)}</ul>`;
    case "ol": return html`<ol key=${key}>${block.items.map((item) => html`<li>${inline(item)}</li>`)}</ol>`;
    case "table": return html`<div class="scroll" key=${key} tabindex="0" role="group" aria-label=${block.head.filter(Boolean).join(", ")}><table>
      <thead><tr>${block.head.map((cell) => (cell ? html`<th scope="col">${inline(cell)}</th>` : html`<td />`))}</tr></thead>
      <tbody>${block.rows.map((row) => html`<tr>${row.map((cell) => html`<td>${inline(cell)}</td>`)}</tr>`)}</tbody></table></div>`;
    default: return html`<p key=${key}>${inline(block.text)}</p>`;
  }
}

/* Words with code, bold, slanted and links in them; a link leads to http(s) alone. */
function inline(words) {
  const parts = [];
  let at = 0;
  for (const found of words.matchAll(INLINE)) {
    const [whole, picture, code, bold, slanted, name, target] = found;
    parts.push(words.slice(at, found.index));
    at = found.index + whole.length;
    if (picture) continue;
    if (code !== undefined) parts.push(html`<code>${code}</code>`);
    else if (bold !== undefined) parts.push(html`<strong>${inline(bold)}</strong>`);
    else if (slanted !== undefined) parts.push(html`<em>${inline(slanted)}</em>`);
    else if (/^https?:\/\//i.test(target)) parts.push(html`<a href=${target} target="_blank" rel="noopener noreferrer">${inline(name)}</a>`);
    else parts.push(name);
  }
  return [...parts, words.slice(at)];
}
