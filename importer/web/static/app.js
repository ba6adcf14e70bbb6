// What the pages do better with a script. Each of them works without.
"use strict";

// --- Forms: one click is enough, and it shows -----------------------------------------------------

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  if (event.submitter && form.dataset.busy) {
    event.submitter.setAttribute("aria-busy", "true");
    event.submitter.textContent = form.dataset.busy;
  }
});

// A page that comes back from the browser's memory may be sent again.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) {
    window.location.reload();
  }
});

// --- Passwords can be shown while they are typed ---------------------------------------------------

for (const secret of document.querySelectorAll(".secret")) {
  const input = secret.querySelector("input");
  const button = document.createElement("button");
  const show = (visible) => {
    input.type = visible ? "text" : "password";
    button.textContent = visible ? secret.dataset.hide : secret.dataset.show;
    button.setAttribute("aria-label", `${button.textContent}: ${input.labels[0].textContent}`);
  };
  button.type = "button";
  button.className = "plain reveal";
  button.setAttribute("aria-controls", input.id);
  button.addEventListener("click", () => show(input.type === "password"));
  input.form.addEventListener("submit", () => show(false)); // browsers would keep it as a text
  show(false);
  secret.append(button);
}

const wrong = document.querySelector("[aria-invalid=true]");
if (wrong) {
  wrong.focus();
}

// --- Menus close again ----------------------------------------------------------------------------

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu")) {
    if (!menu.contains(event.target)) {
      menu.open = false;
    }
  }
});
document.addEventListener("keydown", (event) => {
  for (const menu of document.querySelectorAll("details.menu")) {
    if (event.key === "Escape" && menu.open) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  }
});

// --- Copy a link ----------------------------------------------------------------------------------

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button || !navigator.clipboard) {
    return; // without it, the link is shown to be copied by hand
  }
  event.preventDefault();
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = button.dataset.copied;
  } catch {
    button.parentElement.open = true;
  }
});

// --- Times in the reader's own zone ---------------------------------------------------------------

const asTime = new Intl.DateTimeFormat(document.documentElement.lang, {
  day: "numeric", month: "short", hour: "2-digit", minute: "2-digit",
});

function localTimes(within) {
  for (const time of within.querySelectorAll("time[data-local]")) {
    time.textContent = asTime.format(new Date(time.dateTime));
  }
}
localTimes(document);

// --- The contents of the old mailboxes ------------------------------------------------------------

const looks = new Map(); // the latest of each part

function lookInside(part) {
  const chosen = document.querySelector("input[name=destination]:checked");
  if (!chosen || !window.EventSource) {
    return;
  }
  const asked = new URLSearchParams({ source: part.dataset.check, destination: chosen.value });
  for (const option of document.querySelectorAll("[data-option]")) {
    if (option.type !== "radio" || option.checked) {
      asked.set(option.name, option.value);
    }
  }
  looks.get(part)?.close();
  const stream = new EventSource(`/new/check?${asked}`);
  looks.set(part, stream);
  part.setAttribute("aria-busy", "true");
  stream.addEventListener("found", (event) => {
    part.innerHTML = JSON.parse(event.data).html;
  });
  const end = () => {
    stream.close();
    part.removeAttribute("aria-busy");
  };
  stream.addEventListener("over", end);
  stream.addEventListener("error", end);
}

for (const part of document.querySelectorAll("[data-check]")) {
  if (!part.querySelector("dl")) {
    lookInside(part);
  }
}
for (const choice of document.querySelectorAll("input[name=destination], [data-option]")) {
  const parts = choice.dataset.option || "[data-check]";
  choice.addEventListener("change", () => document.querySelectorAll(parts).forEach(lookInside));
}

// --- Progress -------------------------------------------------------------------------------------

const live = document.querySelector("[data-live]");
if (live) {
  follow(live.dataset.live, live.dataset.query || "");
}

function follow(path, query) {
  const before = new Map();
  const held = new Map();
  const lost = document.getElementById("lost");
  let failures = 0;

  function show(parts) {
    failures = 0;
    if (lost) {
      lost.hidden = true;
    }
    for (const [id, html] of Object.entries(parts)) {
      const part = document.getElementById(id);
      if (!part || before.get(id) === html) {
        continue;
      }
      before.set(id, html);
      if (part.innerHTML === html) {
        continue; // a screen reader would say it again
      }
      if (isInUse(part)) {
        before.delete(id);
        held.set(id, html);
        continue; // a button must not vanish beneath a finger
      }
      held.delete(id);
      const read = [...part.querySelectorAll("details[data-keep][open]")].map((each) => each.dataset.keep);
      part.innerHTML = html;
      for (const each of part.querySelectorAll("details[data-keep]")) {
        each.open = read.includes(each.dataset.keep); // what somebody reads stays open
      }
      localTimes(part);
      for (const inner of part.querySelectorAll("[id]")) {
        before.delete(inner.id); // it has just been replaced
      }
    }
  }

  function isInUse(part) {
    return part.contains(document.activeElement) || part.querySelector("details[open]:not([data-keep])");
  }

  // Updates that were held back are shown once the reader has left the part.
  document.addEventListener("focusout", () => window.setTimeout(() => show(Object.fromEntries(held)), 300));

  function over() {
    window.location.reload();
  }

  const stream = new EventSource(`${path}/events${query}`);
  stream.addEventListener("parts", (event) => show(JSON.parse(event.data)));
  stream.addEventListener("over", () => {
    stream.close();
    over();
  });
  stream.addEventListener("error", () => {
    failures += 1;
    if (failures >= 3 || stream.readyState === EventSource.CLOSED) {
      stream.close();
      poll();
    }
  });

  async function poll() {
    try {
      const answer = await fetch(`${path}/live${query}`, { headers: { Accept: "application/json" } });
      if (!answer.ok) {
        throw new Error(String(answer.status));
      }
      const found = await answer.json();
      show(found.parts);
      if (found.over) {
        over();
        return;
      }
    } catch {
      if (lost) {
        lost.hidden = false;
      }
    }
    window.setTimeout(poll, 3000);
  }
}
