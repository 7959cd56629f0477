"use strict";
const LONGEST_SIDE = 2000; // pixels; larger pictures are reduced here, before they are sent
const CAMERA_PAUSE = 100; // milliseconds from one frame to the next, at least
const SPOKEN_PAUSE = 2500; // between two announcements of what the camera sees
const $ = id => document.getElementById(id);
const percent = fraction => `${Math.round(100 * fraction)} %`;
const sleep = milliseconds => new Promise(done => setTimeout(done, milliseconds));
const encoded = canvas => new Promise(done => canvas.toBlob(done, "image/jpeg", 0.9));

let stream = null; // the camera's, while it runs
let shown = null; // {image: Blob, faces}: what the boxes belong to
let turn = 0; // counts the pictures, so that a late answer to an earlier one is told
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

/* What was found */
function summary(faces) {
  if (!faces.length) return "No face found. Faces should look at the camera and be at least 40 pixels wide.";
  const told = faces.map(face => `${face.emotion} ${percent(face.probabilities[face.emotion])}`).join(", ");
  return `${faces.length} ${faces.length === 1 ? "face" : "faces"}: ${told}.`;
}
function show(answer) {
  resize($("faces"), answer.faces.length, newCard);
  resize($("boxes"), answer.faces.length, newBox);
  answer.faces.forEach((face, i) => { fillCard($("faces").children[i], face, i); fillBox($("boxes").children[i], face, i, answer); });
}
function resize(parent, count, make) { // kept children keep the keyboard's focus, and their bars move
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
  card.querySelector("h2").textContent = `Face ${number + 1}: ${face.emotion}`;
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
  const [x, y, width, height] = face.box, text = `${face.emotion} ${percent(face.probabilities[face.emotion])}`;
  box.style.left = `${100 * x / picture.width}%`; box.style.width = `${100 * width / picture.width}%`;
  box.style.top = `${100 * y / picture.height}%`; box.style.height = `${100 * height / picture.height}%`;
  box.classList.toggle("high", y < 0.12 * picture.height); // no room above for the words
  box.classList.toggle("right", x > 0.6 * picture.width);
  box.firstElementChild.textContent = `${number + 1} ${text}`;
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
    shown = { image, faces: answer.faces };
    show(answer); say(summary(answer.faces));
  } catch (error) {
    if (own === turn) { say(""); complain(error.message); }
  }
}
async function prepared(file) {
  let picture;
  try { picture = await createImageBitmap(file); } catch { return { image: file, picture: null }; } // TIFF: the server reads more than browsers
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
  if (!navigator.mediaDevices) return complain("Browsers give cameras to https pages and to this computer's own (http://localhost) only.");
  const own = ++turn;
  complain(""); say("Waiting for the camera …");
  let opened;
  try {
    opened = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" } });
  } catch (error) {
    say("");
    return complain(error.name === "NotAllowedError" ? "The browser was told not to give the camera to this page." : "No camera can be used: there is none, or another program has it.");
  }
  if (own !== turn) return opened.getTracks().forEach(track => track.stop());
  stream = opened;
  stream.getTracks().forEach(track => { track.onended = () => { if (stream === opened) { stopCamera(); complain("The camera was taken away."); } }; });
  $("live").srcObject = stream;
  await $("live").play();
  show({ faces: [] });
  $("stage").hidden = false; $("live").hidden = false; $("still").hidden = true;
  $("camera").textContent = "Stop the camera";
  watch(stream);
}
function stopCamera() { // what was sent last stays as a still picture
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
      await sleep(1000); // the server has too much to do
    }
    await sleep(Math.max(0, CAMERA_PAUSE - (performance.now() - begin)));
  }
}
async function look(own, video) {
  draw(video, video.videoWidth, video.videoHeight, true);
  const image = await encoded($("still"));
  const answer = await ask("api/predict", image);
  if (stream !== own) return;
  shown = { image, faces: answer.faces };
  show(answer);
  if (performance.now() - spoken > SPOKEN_PAUSE) { spoken = performance.now(); say(summary(answer.faces)); }
}

/* Why */
async function explain(number) {
  const { image, faces } = shown, live = stream !== null;
  if (live) { stopCamera(); await hold(image); }
  const own = turn, face = faces[number], card = $("faces").children[number];
  if (!face || !card) return;
  const button = card.querySelector(".why"), figure = card.querySelector("figure");
  button.disabled = true; complain(""); say("Covering parts of the face, to see what they are worth …");
  try {
    const answer = await ask(`api/explain?face=${number}&emotion=${face.emotion}`, image);
    if (own !== turn) return;
    const most = Math.max(0, ...answer.heat.flat());
    const [seen, reason] = figure.querySelectorAll("img");
    seen.src = `data:image/png;base64,${answer.seen}`;
    reason.src = `data:image/png;base64,${answer.why}`;
    reason.alt = `The same face, coloured where it decided on ${face.emotion}`;
    figure.querySelector("figcaption").textContent = `Left: what the model saw. Right: orange held “${face.emotion}” up, blue spoke against it. ` +
      `Covering the strongest place takes ${(100 * most).toFixed(1)} of its ${(100 * face.probabilities[face.emotion]).toFixed(1)} %.`;
    figure.hidden = false;
    say(`Face ${number + 1} is explained below its bars.`);
    card.scrollIntoView({ block: "nearest" });
  } catch (error) {
    if (own === turn) { say(""); complain(error.message); }
  } finally {
    button.disabled = false;
  }
}
async function hold(image) { // the frame that the answer belongs to; a newer one may be drawn by now
  const picture = await createImageBitmap(image);
  draw(picture, picture.width, picture.height, false);
}

$("file").onchange = () => { if ($("file").files[0]) open($("file").files[0]); $("file").value = ""; };
$("camera").onclick = () => stream ? stopCamera() : startCamera();
document.addEventListener("paste", event => { if (event.clipboardData.files[0]) open(event.clipboardData.files[0]); });
let depth = 0; // dragging over a child leaves its parent
document.addEventListener("dragenter", event => { event.preventDefault(); depth++; document.body.classList.add("over"); });
document.addEventListener("dragleave", () => { if (!--depth) document.body.classList.remove("over"); });
document.addEventListener("dragover", event => event.preventDefault());
document.addEventListener("drop", event => {
  event.preventDefault();
  depth = 0; document.body.classList.remove("over");
  if (event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
});
