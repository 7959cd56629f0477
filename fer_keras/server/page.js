"use strict";
const LONGEST_SIDE = 2000; // pixels; larger pictures are reduced here, before they are sent
const CAMERA_PAUSE = 100; // milliseconds from one frame to the next, at least
const SPOKEN_PAUSE = 2500; // milliseconds between two announcements of what the camera sees
const $ = id => document.getElementById(id);
const percent = fraction => `${Math.round(100 * fraction)} %`;
const sleep = milliseconds => new Promise(done => setTimeout(done, milliseconds));
const encoded = canvas => new Promise(done => canvas.toBlob(done, "image/jpeg", 0.9));

let stream = null; // the camera's, while it runs
let shown = null; // {image: Blob, faces} that the boxes belong to; faces in reading order, each with its index at the server
let turn = 0; // number of the picture, by which late answers to earlier ones are dropped
let spoken = 0;

async function ask(path, image) {
  let response;
  try {
    response = await fetch(path, { method: "POST", body: image, headers: { "Content-Type": image.type || "application/octet-stream" } });
  } catch {
    throw new Error("The server does not answer. It may have been stopped.");
  }
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.error), { status: response.status });
  return answer;
}

function say(text) { $("status").textContent = text; }
function complain(text) { $("problem").textContent = text; $("problem").hidden = !text; }

/* Results */
function asked(face) { // the answer in words, if the server runs with --coverage or --min-confidence
  if (face.abstains) return "unsure";
  return face.prediction_set && face.prediction_set.join(" or ");
}
function shortly(face) { return asked(face) || `${face.emotion} ${percent(face.probabilities[face.emotion])}`; }
function summary(faces) {
  if (!faces.length) return "No face found. Faces should look at the camera and be at least 40 pixels wide.";
  const words = faces.map(shortly).join(", ");
  return `${faces.length} ${faces.length === 1 ? "face" : "faces"}: ${words}.`;
}
function inReadingOrder(faces) { // rows from top to bottom, from left to right in each
  const middle = (face, axis) => face.box[axis] + face.box[axis + 2] / 2, mean = values => values.reduce((a, b) => a + b) / values.length;
  const rows = [];
  for (const face of faces.map((face, index) => ({ ...face, index })).sort((a, b) => middle(a, 1) - middle(b, 1))) {
    const row = rows.at(-1);
    if (row && middle(face, 1) - mean(row.map(other => middle(other, 1))) < mean([face, ...row].map(other => other.box[3])) * 2 / 3) row.push(face);
    else rows.push([face]);
  }
  return rows.flatMap(row => row.sort((a, b) => middle(a, 0) - middle(b, 0)));
}
function show(answer) {
  answer.faces = inReadingOrder(answer.faces);
  resize($("faces"), answer.faces.length, newCard);
  resize($("boxes"), answer.faces.length, newBox);
  answer.faces.forEach((face, i) => { fillCard($("faces").children[i], face, i); fillBox($("boxes").children[i], face, i, answer); });
  placeLabels();
}
function placeLabels() { // beside the boxes; shortened or hidden if they would cover another label or leave the picture
  const stage = $("stage").getBoundingClientRect(), placed = [];
  const overlap = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const fits = rect => rect.left >= stage.left && rect.right <= stage.right && rect.top >= stage.top && rect.bottom <= stage.bottom;
  for (const box of $("boxes").children) {
    const label = box.firstElementChild;
    const found = [box.dataset.text, box.dataset.number].some(text => ["", "right", "below", "below right", "within"].some(place => {
      label.textContent = text;
      label.className = place;
      const rect = label.getBoundingClientRect();
      if (!fits(rect) || placed.some(other => overlap(rect, other))) return false;
      return placed.push(rect);
    }));
    if (!found) label.className = "hidden";
  }
}
function resize(parent, count, make) { // reused elements keep the keyboard focus, and their bars animate
  while (parent.children.length > count) parent.lastElementChild.remove();
  while (parent.children.length < count) parent.append(make(parent.children.length));
}
function newCard(number) {
  const card = $("card").content.firstElementChild.cloneNode(true);
  card.querySelector(".why").onclick = () => explain(number);
  return card;
}
function newBox(number) {
  const box = document.createElement("button");
  box.type = "button";
  box.className = "box";
  box.append(document.createElement("span"));
  box.onclick = () => explain(number);
  return box;
}
function fillCard(card, face, number) {
  card.querySelector("h2").textContent = `Face ${number + 1}: ${asked(face) || face.emotion}`;
  card.querySelector("figure").hidden = true;
  const names = Object.keys(face.probabilities), list = card.querySelector(".bars");
  resize(list, names.length, newBar);
  names.forEach((name, i) => {
    const [label, track, value] = list.children[i].children;
    list.children[i].className = name === face.emotion ? "first" : "";
    label.textContent = name;
    track.firstElementChild.style.width = `${100 * face.probabilities[name]}%`;
    value.textContent = percent(face.probabilities[name]);
  });
}
function newBar() {
  const row = document.createElement("li"), track = document.createElement("span");
  track.className = "track";
  track.setAttribute("aria-hidden", "true");
  track.append(document.createElement("i"));
  const value = document.createElement("span");
  value.className = "value";
  row.append(document.createElement("span"), track, value);
  return row;
}
function fillBox(box, face, number, picture) {
  const [x, y, width, height] = face.box, text = shortly(face);
  box.style.left = `${100 * x / picture.width}%`; box.style.width = `${100 * width / picture.width}%`;
  box.style.top = `${100 * y / picture.height}%`; box.style.height = `${100 * height / picture.height}%`;
  box.dataset.number = number + 1;
  box.dataset.text = `${number + 1} ${text}`;
  box.setAttribute("aria-label", `Face ${number + 1}, ${text}: why this answer?`);
}

/* A picture from a file */
async function open(file) {
  stopCamera();
  const own = ++turn;
  complain(""); say("Looking for faces …"); show({ faces: [] });
  try {
    const { image, picture } = await prepared(file);
    if (own !== turn) return;
    if (picture) draw(picture, picture.width, picture.height, false);
    else $("stage").hidden = true;
    const answer = await ask("api/predict", image);
    if (own !== turn) return;
    if (!picture) draw(null, answer.width, answer.height, false);
    show(answer); say(summary(answer.faces));
    shown = { image, faces: answer.faces };
  } catch (error) {
    if (own === turn) { say(""); complain(error.message); }
  }
}
async function prepared(file) {
  let picture;
  try { picture = await createImageBitmap(file); } catch { return { image: file, picture: null }; } // such as TIFF: the server reads more formats than browsers
  const scale = LONGEST_SIDE / Math.max(picture.width, picture.height);
  if (scale >= 1) return { image: file, picture };
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(scale * picture.width); canvas.height = Math.round(scale * picture.height);
  const brush = canvas.getContext("2d");
  brush.imageSmoothingQuality = "high";
  brush.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return { image: await encoded(canvas), picture: canvas };
}
function draw(picture, width, height, mirrored) {
  const canvas = $("still");
  canvas.width = width; canvas.height = height;
  const brush = canvas.getContext("2d");
  if (mirrored) { brush.translate(width, 0); brush.scale(-1, 1); }
  if (picture) brush.drawImage(picture, 0, 0, width, height);
  $("stage").hidden = false;
}

/* The camera */
async function startCamera() {
  if (!navigator.mediaDevices) return complain("Browsers allow the camera only on https pages and on this computer's own (http://localhost).");
  const own = ++turn;
  complain(""); say("Waiting for the camera …");
  let opened;
  try {
    opened = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" } });
  } catch (error) {
    say("");
    return complain(error.name === "NotAllowedError" ? "The browser does not allow this page to use the camera." : "No camera is available: there is none, or another program uses it.");
  }
  if (own !== turn) return opened.getTracks().forEach(track => track.stop());
  stream = opened;
  stream.getTracks().forEach(track => { track.onended = () => { if (stream === opened) { stopCamera(); complain("The camera was disconnected."); } }; });
  $("live").srcObject = stream;
  await $("live").play();
  show({ faces: [] });
  $("stage").hidden = false; $("live").hidden = false; $("still").hidden = true;
  $("camera").textContent = "Stop the camera";
  watch(stream);
}
function stopCamera() { // the last frame stays as a still picture
  if (!stream) return;
  stream.getTracks().forEach(track => track.stop());
  stream = null; turn++;
  $("live").srcObject = null; $("live").hidden = true; $("still").hidden = false;
  $("stage").hidden = !shown;
  $("camera").textContent = "Use the camera";
  say("The camera is off.");
}
async function watch(own) {
  const video = $("live");
  while (stream === own) {
    const begin = performance.now();
    try {
      if (!document.hidden && video.videoWidth) await look(own, video);
    } catch (error) {
      if (stream !== own) return;
      if (error.status !== 429) { stopCamera(); return complain(error.message); }
      await sleep(1000); // the server is busy
    }
    await sleep(Math.max(0, CAMERA_PAUSE - (performance.now() - begin)));
  }
}
async function look(own, video) {
  draw(video, video.videoWidth, video.videoHeight, true);
  const image = await encoded($("still"));
  const answer = await ask("api/predict", image);
  if (stream !== own) return;
  show(answer);
  shown = { image, faces: answer.faces };
  if (performance.now() - spoken > SPOKEN_PAUSE) { spoken = performance.now(); say(summary(answer.faces)); }
}

/* Saliency */
async function explain(number) {
  const { image, faces } = shown, live = stream !== null;
  if (live) { stopCamera(); await hold(image); }
  const own = turn, face = faces[number], card = $("faces").children[number];
  if (!face || !card) return;
  const button = card.querySelector(".why"), figure = card.querySelector("figure");
  button.disabled = true; complain(""); say("Covering parts of the face, to see how the probability changes …");
  try {
    const answer = await ask(`api/explain?${new URLSearchParams({ face: face.index, emotion: face.emotion })}`, image);
    if (own !== turn) return;
    const most = Math.max(0, ...answer.heat.flat());
    const [seen, reason] = figure.querySelectorAll("img");
    seen.src = `data:image/png;base64,${answer.seen}`;
    reason.src = `data:image/png;base64,${answer.why}`;
    reason.alt = `The same face: orange where pixels support ${face.emotion}, blue where they oppose it`;
    figure.querySelector("figcaption").textContent = `Left: the face as the model sees it. Right: orange supports “${face.emotion}”, blue opposes it. ` +
      `Covering the strongest place lowers its ${(100 * face.probabilities[face.emotion]).toFixed(1)} % by ${(100 * most).toFixed(1)} points.`;
    figure.hidden = false;
    say(`Face ${number + 1} is explained below its bars.`);
    card.scrollIntoView({ block: "nearest" });
  } catch (error) {
    if (own === turn) { say(""); complain(error.message); }
  } finally {
    button.disabled = false;
  }
}
async function hold(image) { // the frame that the answer belongs to; a newer one may have been drawn
  const picture = await createImageBitmap(image);
  draw(picture, picture.width, picture.height, false);
}

$("file").onchange = () => { if ($("file").files[0]) open($("file").files[0]); $("file").value = ""; };
$("camera").onclick = () => stream ? stopCamera() : startCamera();
document.addEventListener("paste", event => { if (event.clipboardData.files[0]) open(event.clipboardData.files[0]); });
window.addEventListener("resize", placeLabels);
let depth = 0; // dragenter and dragleave also fire for children
document.addEventListener("dragenter", event => { event.preventDefault(); depth++; document.body.classList.add("over"); });
document.addEventListener("dragleave", () => { if (!--depth) document.body.classList.remove("over"); });
document.addEventListener("dragover", event => event.preventDefault());
document.addEventListener("drop", event => {
  event.preventDefault();
  depth = 0; document.body.classList.remove("over");
  if (event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
});
