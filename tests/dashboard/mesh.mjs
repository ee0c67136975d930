// The page on a mesh of real nodes: mesh.mjs URL, the address that `tessera open` gave. Jobs are submitted, seen to run,
// looked at and cancelled, by mouse and by keyboard alone.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import {
  check,
  faults,
  finish,
  fitsWidth,
  focused,
  launch,
  none,
  open,
  shot,
  shots,
  unlocked,
} from "./rig.mjs";

const { TESSERA: tessera, FOLDER: folder, REDIRECT: redirect } = process.env;
const url = process.argv[2];
const { origin } = new URL(url);
const browser = await launch();
const text = (page, id) => page.locator(`#${id}`).textContent();
const at = (...words) =>
  execFileSync(tessera, [...words, "--data", folder], { stdio: ["ignore", "pipe", "pipe"] });
const jobId = (page) => /#\/job\/([0-9a-f]{64})$/.exec(page.url())?.[1];
const until = (page, state) =>
  page.waitForFunction((state) => document.querySelector("#job-state").textContent === state, state, {
    timeout: 240_000,
  });
const go = async (page, id) => {
  await page.evaluate((id) => (location.hash = `#/job/${id}`), id);
  await page.waitForFunction((id) => id.startsWith(document.querySelector("#job-title").textContent), id);
};

// --- Brought here by `tessera open`
let page;
await check("the file that tessera open makes leads to the page, and lets it in", async () => {
  page = await open(browser, `file://${redirect}`, { origin });
  await page.waitForURL(`${origin}/`);
  await unlocked(page);
  return readFileSync(redirect, "utf8").includes("#token=") && page.url() === `${origin}/`;
});
await check("three nodes stand in the mesh", async () => {
  await page.waitForFunction(
    () =>
      document.querySelectorAll("#mesh .node").length === 3 &&
      document.querySelectorAll("#peers tr").length === 3,
  );
  return (await text(page, "tally-peers")) === "3";
});
await check("without a job the page says how to begin one", async () =>
  (await text(page, "no-jobs")).includes("tessera submit mandelbrot"),
);

// --- A job by the form
let picture;
await check("a job is submitted through the form", async () => {
  await page.locator("#new-job").click();
  await page.locator("#submit-kernel").selectOption("mandelbrot");
  for (const [name, value] of [
    ["size", "1024"],
    ["samples", "8"],
    ["cx", "-0.7435"],
    ["cy", "0.1314"],
    ["span", "0.006"],
    ["iterations", "3000"],
  ])
    await page.locator(`[data-param=${name}]`).fill(value);
  await shot(page, "form");
  const command = await text(page, "submit-command");
  if (!/^tessera submit mandelbrot( -p [a-z]+=[-.0-9]+){5}$/.test(command)) return command; // 1024 is the default.
  await page.locator("#submit-go").click();
  await page.waitForURL(/#\/job\/[0-9a-f]{64}$/);
  picture = jobId(page);
});
await check("it is seen to run: the state, and progress that moves", async () => {
  await until(page, "running");
  const moved = (than) =>
    page.waitForFunction(
      (than) => Number(document.querySelector("#job-progress").getAttribute("aria-valuenow")) > than,
      than,
      { timeout: 120_000 },
    );
  await moved(0);
  await moved(Number(await page.locator("#job-progress").getAttribute("aria-valuenow")));
});

// Of the picture as it is shown: its size, and the pixels that are there.
const seen = () =>
  page.evaluate(() => {
    const image = document.querySelector("#job-image");
    if (image.hidden || !image.naturalWidth) return null;
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    let there = 0;
    for (let i = 3; i < data.length; i += 4) there += data[i] > 0;
    return { width: canvas.width, height: canvas.height, part: there / (canvas.width * canvas.height) };
  });
const grown = async (than) => {
  for (let tries = 0; tries < 600; ++tries) {
    const now = await seen();
    if (now && now.part > than) return now.part;
    await page.waitForTimeout(200);
  }
  throw new Error(`no more than ${than} of the picture is there`);
};
await check("its picture grows, tile by tile", async () => {
  const first = await grown(0);
  if (first >= 1) return first;
  const second = await grown(first);
  return second > first;
});
await check("parts appear in the mosaic, in the colours of those who laid them", async () => {
  await page.waitForFunction(
    () => {
      const { width, height } = document.querySelector("#mosaic");
      const { data } = document
        .querySelector("#mosaic")
        .getContext("2d")
        .getImageData(0, height - 6, width, 1);
      const colours = new Set();
      for (let i = 0; i < data.length; i += 4) colours.add(`${data[i]} ${data[i + 1]} ${data[i + 2]}`);
      return colours.size >= 3; // The bed, and at least two peers.
    },
    null,
    { timeout: 120_000 },
  );
});
await shot(page, "job", { fullPage: true });
await check("axe-core finds nothing on a job that runs, at either width", async () => {
  const found = await faults(page);
  await page.setViewportSize({ width: 360, height: 740 });
  found.push(...(await faults(page)));
  const fits = await fitsWidth(page);
  await page.setViewportSize({ width: 1280, height: 900 });
  return fits === true ? none(found) : fits;
});
await check("the mesh shows who works", async () => {
  await page.locator(".back a").click();
  await page.locator("#overview").waitFor();
  await page.waitForFunction(() => document.querySelectorAll("#mesh .lit").length === 3);
  await page.waitForFunction(
    () => Number(document.querySelector("#tally-slots").textContent.split("/")[0]) > 0,
  );
});
await shot(page, "mesh", { fullPage: true });

// --- Another is cancelled, by keyboard alone
await check("by keyboard alone: a job is submitted, opened from the list, and cancelled", async () => {
  await page.keyboard.press("n");
  if ((await focused(page)) !== "submit-kernel") return `focus on ${await focused(page)}`;
  await page.keyboard.type("sleep");
  while ((await page.evaluate(() => document.activeElement.name)) !== "items")
    await page.keyboard.press("Tab");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("100000");
  await page.keyboard.press("Enter");
  await page.waitForURL(/#\/job\/[0-9a-f]{64}$/);
  const id = jobId(page);
  await page.locator("#job").waitFor();
  if ((await focused(page)) !== "job-title") return `focus on ${await focused(page)}`;
  await page.keyboard.press("Escape");
  await page.locator("#overview").waitFor();
  if ((await focused(page)) !== "overview-title") return `focus on ${await focused(page)}`;
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.locator("#job").waitFor();
  if (jobId(page) !== id) return `job ${jobId(page)}`;
  await page.keyboard.press("c");
  await page.locator("#confirm").waitFor();
  const found = await faults(page);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await until(page, "cancelled");
  if (found.length) return found;
  return String(at("jobs", "--json"))
    .split("\n")
    .some((line) => line.includes(id) && line.includes('"cancelled"'));
});
await check("? lists the keys, and Esc closes the list", async () => {
  await page.keyboard.press("?");
  await page.locator("#keys").waitFor();
  const found = await faults(page);
  await page.keyboard.press("Escape");
  await page.locator("#keys").waitFor({ state: "hidden" });
  return none(found);
});
await check("keys that are switched off do nothing", async () => {
  await page.keyboard.press("Escape");
  await page.locator("#overview").waitFor();
  await page.locator("#help").click();
  await page.locator("#keys-on").uncheck();
  await page.keyboard.press("Escape");
  await page.locator("main").focus();
  await page.keyboard.press("n");
  const opened = await page.locator("dialog[open]").count();
  await page.locator("#help").click();
  await page.locator("#keys-on").check();
  await page.keyboard.press("Escape");
  return opened === 0;
});

// --- Wishes
const jobOf = (id) =>
  String(at("jobs", "--json"))
    .split("\n")
    .filter((line) => line.includes(id))
    .map((line) => JSON.parse(line))[0];
await check("priority and what is required are said by keyboard alone, and the node has them", async () => {
  await page.keyboard.press("n");
  await page.keyboard.type("sleep");
  const type = async (name, text) => {
    for (let tabs = 0; (await page.evaluate(() => document.activeElement.name)) !== name; ++tabs) {
      if (tabs > 30) throw new Error(`${name} is not reached`);
      await page.keyboard.press("Tab");
    }
    if ((await page.evaluate(() => document.activeElement.tagName)) === "INPUT")
      await page.keyboard.press("Control+A");
    await page.keyboard.type(text);
  };
  await type("items", "200");
  await type("priority", "-4");
  await type("memory", "32 MiB");
  await type("arch", process.arch === "arm64" ? "aarch64" : "x86_64");
  const found = await faults(page);
  const labels = await page.evaluate(() =>
    ["priority", "memory", "arch"].map((name) => {
      const control = document.querySelector(`#submit-fields [name=${name}]`);
      const help = document.getElementById(control.getAttribute("aria-describedby"));
      return control.labels.length && help?.textContent ? control.labels[0].firstChild.textContent : "";
    }),
  );
  const command = await text(page, "submit-command");
  await shot(page, "wishes");
  while ((await focused(page)) !== "submit-go") await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.waitForURL(/#\/job\/[0-9a-f]{64}$/);
  const taken = jobOf(jobId(page));
  await until(page, "done");
  const facts = await text(page, "job-facts");
  return (
    (labels.join() === "Priority,Memory required,Processor required" &&
      /--priority -4 --require memory=32MiB --require arch=/.test(command) &&
      taken.priority === -4 &&
      taken.require.memory === 32 * 1024 ** 2 &&
      /Priority-4Requires32 MiB for a worker, /.test(facts) &&
      none(found)) ||
    JSON.stringify([labels, command, taken, facts, found])
  );
});

// --- Rounds
if (process.env.ROUNDS)
  await check("of a job of rounds the mosaic is that of its round, laid anew in each", async () => {
    const id = String(
      at("run", process.env.ROUNDS, "--items", "64", "--leaf", "1", "--rounds", "1000", "--detach"),
    ).trim();
    await go(page, id);
    await page.waitForFunction(() =>
      /^\d+ % of the tiles of round \d+ are laid; of all rounds: /.test(
        document.querySelector("#mosaic").getAttribute("aria-label"),
      ),
    );
    const found = await faults(page);
    // How much of the leaves' row is laid, and in which round, for a while.
    const laid = await page.evaluate(async () => {
      const canvas = document.querySelector("#mosaic"),
        probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true }),
        seen = [];
      const bedded = document.body.appendChild(document.createElement("span"));
      bedded.style.color = "var(--bed)";
      probe.fillStyle = getComputedStyle(bedded).color;
      bedded.remove();
      probe.fillRect(0, 0, 1, 1);
      const ground = probe.getImageData(0, 0, 1, 1).data;
      for (let i = 0; i < 400; ++i) {
        const { width, height } = canvas;
        probe.canvas.width = width;
        probe.drawImage(canvas, 0, height - 3, width, 1, 0, 0, width, 1);
        const { data } = probe.getImageData(0, 0, width, 1);
        let bed = 0;
        for (let x = 0; x < width; ++x)
          bed += [0, 1, 2].every((c) => data[4 * x + c] === ground[c]);
        const label = canvas.getAttribute("aria-label");
        seen.push([Number(/round (\d+)/.exec(label)?.[1]), bed / width, label]);
        await new Promise((go) => setTimeout(go, 50));
      }
      return seen;
    });
    await shot(page, "rounds", { fullPage: true });
    at("cancel", id);
    await until(page, "cancelled");
    const rounds = new Set(laid.map(([round]) => round));
    const emptied = laid.filter(([, bed], i) => i && bed > laid[i - 1][1] + 0.2).length;
    const over = laid.filter(([, , label]) => /[1-9]\d\d+ %/.test(label.replaceAll("100 %", "")));
    return (
      (rounds.size > 2 && emptied >= 2 && over.length === 0 && none(found)) ||
      JSON.stringify([[...rounds], emptied, over.slice(0, 2), found])
    );
  });

// --- A file of one's own
await check("a file is sent under the hash that every node gives it, and worked on", async () => {
  await page.locator("#new-job").click();
  await page.locator("#submit-kernel").selectOption("filter");
  await page.locator("[name=input]").setInputFiles(`${shots}/mesh.png`);
  await page.locator("#submit-go").click();
  await page.waitForURL(/#\/job\/[0-9a-f]{64}$/);
  await until(page, "done");
});
await check("what the node refuses is said in its own three lines, in the form", async () => {
  await page.locator("#new-job").click();
  await page.locator("#submit-kernel").selectOption("mandelbrot");
  await page.locator("[data-param=size]").fill("-3");
  await page.locator("#submit-go").click();
  await page.locator("#submit-error").waitFor();
  const said = await text(page, "submit-error"),
    found = await faults(page);
  await page.keyboard.press("Escape");
  page.offences.splice(
    0,
    page.offences.length,
    ...page.offences.filter((each) => !/status of 422/.test(each)),
  );
  return (said.includes("E420") && none(found)) || said;
});

// --- Pause
await check("the node is paused and resumed from the page", async () => {
  await page.keyboard.press("p");
  await page.getByRole("button", { name: "For an hour" }).click();
  await page.waitForFunction(() =>
    document.querySelector("#node-about").textContent.includes("paused until"),
  );
  const paused = String(at("status", "--json")).includes('"until_ms":1');
  await page.locator("#pause").click();
  await page.locator("#confirm-choices").getByRole("button", { name: "Resume" }).click();
  await page.waitForFunction(() => !document.querySelector("#node-about").textContent.includes("paused"));
  return paused && String(at("status", "--json")).includes('"pause":null');
});

// --- The picture at last
await check("the picture is at last the one that tessera result fetches, pixel for pixel", async () => {
  await go(page, picture);
  await until(page, "done");
  await grown(0.9999);
  const file = `${shots}/result.png`;
  at("result", picture, "-o", file);
  const [differ, width, pixels] = await page.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const result = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const image = document.querySelector("#job-image");
    const pixelsOf = (source) => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [result.width, result.height];
      const context = canvas.getContext("2d");
      context.drawImage(source, 0, 0);
      return context.getImageData(0, 0, canvas.width, canvas.height).data;
    };
    const [a, b] = [pixelsOf(image), pixelsOf(result)];
    let differ = 0;
    for (let i = 0; i < a.length; i += 4)
      differ += a[i] !== b[i] || a[i + 1] !== b[i + 1] || a[i + 2] !== b[i + 2] || a[i + 3] !== b[i + 3];
    return [differ, image.naturalWidth, new Set(a).size];
  }, readFileSync(file).toString("base64"));
  return (
    (differ === 0 && width === 1024 && pixels > 100) ||
    `${differ} pixels differ, ${width} wide, ${pixels} values`
  );
});
await check("saved from the page it has the bytes of tessera result", async () => {
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#job-save").click()]);
  return readFileSync(await download.path()).equals(readFileSync(`${shots}/result.png`));
});
await shot(page, "job-done", { fullPage: true });
await check("no console error, no request off the host, no breach of the policy", () => none(page.offences));
await page.context().close();

// --- Both themes, both widths
for (const colorScheme of ["dark", "light"])
  for (const width of [1280, 360])
    await check(
      `${colorScheme}, ${width} px: axe-core finds nothing, and nothing scrolls sideways`,
      async () => {
        const page = await open(browser, url, {
          colorScheme,
          viewport: { width, height: width === 360 ? 740 : 900 },
          deviceScaleFactor: width === 360 ? 2 : 1,
        });
        await unlocked(page);
        await page.waitForFunction(() => document.querySelectorAll("#jobs tr").length >= 3);
        const found = await faults(page),
          wide = [await fitsWidth(page)];
        if (width === 360) await shot(page, colorScheme === "dark" ? "phone" : "phone-light");
        else if (colorScheme === "light") await shot(page, "mesh-light", { fullPage: true });
        await go(page, picture);
        await until(page, "done");
        found.push(...(await faults(page)));
        wide.push(await fitsWidth(page));
        await shot(page, `job-${colorScheme}-${width}`, { fullPage: true });
        await page.locator("#new-job").click();
        found.push(...(await faults(page)));
        wide.push(await fitsWidth(page));
        found.push(...page.offences);
        await page.context().close();
        return wide.every((each) => each === true) ? none(found) : wide;
      },
    );
await check("the theme that is chosen stands above the system's, and is kept", async () => {
  const page = await open(browser, url, { colorScheme: "light" });
  await unlocked(page);
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await ground();
  await page.locator("#theme").click();
  const dark = await ground();
  await page.reload();
  await unlocked(page);
  const kept = await ground();
  await page.context().close();
  return (light !== dark && kept === dark) || [light, dark, kept];
});

// --- Strangers
await check("a page elsewhere on this machine can neither frame this one nor call the node", async () => {
  const { createServer } = await import("node:http");
  const server = createServer((_, response) =>
    response.writeHead(200, { "Content-Type": "text/html" }).end(`<iframe src="${origin}/"></iframe>`),
  );
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  const token = new URLSearchParams(new URL(url).hash.slice(1)).get("token");
  const answer = await page.evaluate(
    ([to, token]) =>
      fetch(`${to}/v1/status`, { headers: { Authorization: `Bearer ${token}` } }).then(
        ({ status }) => status,
        () => "blocked",
      ),
    [origin, token],
  );
  const inside = page.frames()[1] ? await page.frames()[1].locator("#main").count() : 0;
  await page.close();
  server.close();
  return (answer === "blocked" && inside === 0) || [answer, inside];
});
await check(
  "the page's calls pass the node's check of origins, and those of a site elsewhere do not",
  async () => {
    const token = new URLSearchParams(new URL(url).hash.slice(1)).get("token");
    const ask = (from) =>
      fetch(`${origin}/v1/resume`, {
        method: "POST",
        headers: { Authorization: `Bearer ${token}`, Origin: from },
      }).then(({ status }) => status);
    const answers = [await ask(origin), await ask("https://elsewhere.example"), await ask("null")];
    return answers.join() === "200,403,403" || answers;
  },
);

await finish(browser);
