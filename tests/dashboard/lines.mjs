// The page against a mesh that is played (mock.mjs): many peers, lost connections, tokens that are refused, slow readers.
import { MockMesh, token } from "./mock.mjs";
import { check, faults, finish, fitsWidth, launch, none, open, shot, unlocked } from "./rig.mjs";

const mesh = new MockMesh(36);
mesh.addJob("sumsq@1", 256, "done");
const job = mesh.addJob("mandelbrot@1", 4096);
const port = await mesh.listen();
const home = `http://127.0.0.1:${port}/`;
const url = `${home}#token=${token}`;
const browser = await launch();
const text = (page, id) => page.locator(`#${id}`).textContent();

const page = await open(browser, url);
await check("the token is gone from the address, and from the history", async () => {
  await unlocked(page);
  return (await page.evaluate(() => `${location.href} ${history.length}`)) === `${home} 2` || page.url();
});
await check("36 peers stand in the picture and in the table", async () => {
  await page.waitForFunction(
    () =>
      document.querySelectorAll("#mesh .node").length === 36 &&
      document.querySelectorAll("#peers tr").length === 36,
  );
  return (await text(page, "tally-peers")) === "36";
});
await check("a lease is a tile on its way from who grants it to who takes it", async () => {
  const [from, to] = [mesh.peers[7], mesh.peers[20]];
  mesh.emit("steal", { at_ms: 0, job: job.job, from: from.id, to: to.id, leaves: 8 });
  await page.locator("#mesh .flight.lease rect").first().waitFor({ state: "attached" });
  const way = await page.locator("#mesh .flight.lease path").getAttribute("d");
  const ends = way.match(/-?[\d.]+/g).map(Number);
  const place = (name) =>
    page.evaluate((name) => {
      const node = [...document.querySelectorAll("#mesh .node")].find(
        (each) => each.querySelector(".name").textContent === name,
      );
      return node.style.transform.match(/-?[\d.]+/g).map(Number);
    }, name);
  const [a, b] = [await place(from.name), await place(to.name)];
  const off = Math.max(...[ends[0] - a[0], ends[1] - a[1], ends[4] - b[0], ends[5] - b[1]].map(Math.abs));
  return off < 1 || [ends, a, b];
});
await check("in a storm of 20,000 events what moves stays bounded, and the numbers are right", async () => {
  const load = (rate) =>
    mesh.emit("load", {
      at_ms: Date.now(),
      running: 1,
      slots: 4,
      microtasks: 5,
      rate,
      sent_bytes: 1,
      received_bytes: 1,
    });
  let most = 0;
  for (let i = 0; i < 20; ++i) {
    for (let n = 0; n < 1000; ++n)
      mesh.emit("steal", {
        at_ms: 0,
        job: job.job,
        from: mesh.peers[n % 36].id,
        to: mesh.peers[(n * 7 + 1) % 36].id,
        leaves: 1 + n,
      });
    load(1234);
    await page.waitForTimeout(20);
    const flights = await page.locator("#mesh .flight").count();
    most = Math.max(most, flights);
  }
  load(77);
  await page.waitForFunction(() => document.querySelector("#tally-rate").textContent === "77/s");
  return (most > 10 && most <= 48) || most;
});
await check("a name of another node is text, and keeps to its line", async () => {
  mesh.emit("peer", { ...mesh.peers[3], name: "<img src=x onerror=alert(1)>\u202Eevil\n" });
  await page.waitForFunction(() => document.querySelector("#peers").textContent.includes("<img src=x"));
  return (
    (await page.locator("#peers img, #mesh img").count()) === 0 &&
    !(await text(page, "peers")).includes("\u202E")
  );
});
await shot(page, "many");

await check("what the node works on for others is told with their names, a job of rounds once", async () => {
  if (await page.locator("#guests-panel").isVisible()) return "shown without any";
  const submitter = mesh.peers[4];
  const work = (job, parent, more) => ({
    job,
    parent,
    kernel: "filter@1",
    submitter: submitter.id,
    submitter_name: submitter.name,
    rooted: false,
    name: null,
    module: null,
    ...more,
  });
  mesh.working = [
    work("ab12cd", null, {}),
    work("0001", "cafe01", { name: "kmeans.wasm", module: "77".repeat(32) }),
    work("0002", "cafe01", { name: "kmeans.wasm", module: "77".repeat(32) }),
    work("dd", null, { rooted: true }),
  ];
  mesh.emit("status", mesh.status());
  await page.locator("#guests-panel").waitFor();
  const rows = await page.locator("#guests tr").allTextContents();
  const found = await faults(page);
  mesh.working = [];
  mesh.emit("status", mesh.status());
  await page.locator("#guests-panel").waitFor({ state: "hidden" });
  return rows.join() === `ab12cdfilter${submitter.name},cafe01kmeans.wasm 777777${submitter.name}`
    ? none(found)
    : rows;
});

await check("why a job is not done, and its log, are asked for when somebody opens them", async () => {
  await page.evaluate((id) => (location.hash = `#/job/${id}`), job.job);
  await page.locator("#job-why summary").click();
  await page.locator("#job-why li").first().waitFor();
  await page.locator("#job-log summary").click();
  await page.locator("#job-log li").nth(1).waitFor();
  const said = [await text(page, "job-why"), await text(page, "job-log")].join();
  const found = await faults(page);
  await page.keyboard.press("Escape");
  await page.locator("#overview").waitFor();
  const all = ["5 peers have no free slot", "900 microtasks queued", "<b>round</b>"];
  return all.every((line) => said.includes(line)) ? none(found) : said;
});

await check(
  "when the line breaks a banner says so; it comes back from the last event, and the banner goes",
  async () => {
    const last = mesh.lastId;
    mesh.drop();
    await page.locator("#banner").waitFor();
    await page.locator("#banner").waitFor({ state: "hidden", timeout: 20_000 });
    return mesh.resumed === last || [mesh.resumed, last];
  },
);
await check("what happened meanwhile is there, once", async () => {
  const before = mesh.jobs.length;
  mesh.drop();
  mesh.addJob("sumsq@1", 64);
  await page.waitForFunction((n) => document.querySelectorAll("#jobs tr").length === n, before + 1);
});
await check("a resync and its snapshot replace all that was known", async () => {
  const gone = mesh.peers.splice(20);
  mesh.emit("resync", { schema: 1, why: "slow" });
  mesh.emit("snapshot", {
    schema: 1,
    at_ms: 0,
    status: mesh.status(),
    peers: mesh.peers,
    jobs: mesh.jobs.slice(0, 1),
  });
  await page.waitForFunction(
    () =>
      document.querySelectorAll("#peers tr").length === 20 &&
      document.querySelectorAll("#jobs tr").length === 1,
  );
  mesh.peers.push(...gone);
});
await check("no error, no request elsewhere, no breach of the policy", () =>
  none(page.offences.filter((each) => !/net::ERR_(INCOMPLETE|CONNECTION|EMPTY)/.test(each))),
);
await page.context().close();

await check("who listens is told of changes politely: seldom, and only of what matters", async () => {
  const page = await open(browser, url);
  await unlocked(page);
  await page.evaluate(() => {
    window.said = [];
    new MutationObserver(() => window.said.push(document.querySelector("#announcer").textContent)).observe(
      document.querySelector("#announcer"),
      { childList: true, characterData: true, subtree: true },
    );
  });
  for (let n = 0; n < 40; ++n) mesh.emit("job", { ...mesh.jobs[0], state: n % 2 ? "done" : "running" });
  for (let n = 0; n < 200; ++n) mesh.emit("peer", { ...mesh.peers[n % 36] });
  await page.waitForFunction(() => window.said.length > 0);
  const said = await page.evaluate(() => window.said);
  await page.context().close();
  return (said.length === 1 && /more changes/.test(said[0]) && said[0].length < 200) || said;
});

await check("who wants no motion gets none, and sees the leases all the same", async () => {
  const page = await open(browser, url, { reducedMotion: "reduce" });
  await unlocked(page);
  await page.locator("#mesh .node").first().waitFor();
  mesh.emit("steal", { at_ms: 0, job: job.job, from: mesh.peers[0].id, to: mesh.peers[5].id, leaves: 64 });
  await page.locator("#mesh .flight path").waitFor({ state: "attached" });
  const moving = await page.locator("#mesh .flight rect, #mesh .pulse").count();
  await page.context().close();
  return moving === 0;
});

await check("without a token the page says what to type, and asks nothing of the node", async () => {
  const page = await open(browser, home);
  await page.locator("#locked").waitFor();
  const asked = page.offences;
  const says = await text(page, "locked");
  const kept = none([...(await faults(page)), ...asked]);
  await page.context().close();
  return says.includes("tessera open") && !says.includes(token) && kept;
});
await check("a token that is refused leads there, too, and is forgotten", async () => {
  const page = await open(browser, `${home}#token=STALE`);
  await page.locator("#locked").waitFor();
  const kept = await page.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage }));
  await page.goto(url); // As `tessera open` brings it, to a page that is open.
  await unlocked(page);
  await page.context().close();
  return !kept.includes("STALE") || kept;
});
await check("36 peers fit a phone, too", async () => {
  const page = await open(browser, url, { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2 });
  await unlocked(page);
  await page.locator("#mesh .node").first().waitFor();
  const fits = await fitsWidth(page),
    found = await faults(page);
  await page.context().close();
  return fits === true ? none(found) : fits;
});

mesh.close();
await finish(browser);
