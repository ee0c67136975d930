// A browser to try the page in: claims that print a line each, and what no page of ours may do.
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const { DASHBOARD_NPM: npm, CHROMIUM: chromiumPath = "/usr/bin/chromium" } = process.env;
const require = createRequire(`${npm}/`);
const { chromium } = require("playwright-core");
const axe = readFileSync(join(npm, "node_modules/axe-core/axe.min.js"), "utf8");

export const shots = "build/dashboard";
mkdirSync(shots, { recursive: true });

let failures = 0;
export async function check(claim, act) {
  let why = "";
  try {
    const held = await act();
    if (held !== true && held !== undefined) why = `was ${JSON.stringify(held)}`;
  } catch (error) {
    why = error.message.split("\n").slice(0, 6).join("\n       ");
  }
  console.log(why ? `  FAIL ${claim}\n       ${why}` : `  ok   ${claim}`);
  failures += why ? 1 : 0;
}
export const skip = (claim) => console.log(`  SKIP ${claim}`);
export const finish = async (browser) => {
  await browser.close();
  process.exit(failures ? 1 : 0);
};

export const launch = () =>
  chromium.launch({
    executablePath: chromiumPath,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });

// A page, and what was seen of it that should not be.
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    colorScheme: "dark",
    ...options,
  });
  const page = await context.newPage();
  const origin = new URL(url.startsWith("file:") ? options.origin : url).origin;
  const offences = [];
  page.on(
    "console",
    (message) => ["error", "warning"].includes(message.type()) && offences.push(`console: ${message.text()}`),
  );
  page.on("pageerror", (error) => offences.push(`error: ${error.message}`));
  page.on("request", (request) => {
    const at = request.url();
    if (!at.startsWith(`${origin}/`) && !at.startsWith("blob:") && at !== url)
      offences.push(`request: ${at}`);
  });
  await page.addInitScript(() =>
    document.addEventListener("securitypolicyviolation", (event) =>
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`),
    ),
  );
  await page.goto(url);
  return Object.assign(page, { offences });
}

export const unlocked = (page) => page.locator("#overview").waitFor({ timeout: 30_000 });

// What axe-core finds fault with, on the page as it is now.
export async function faults(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return violations.map(
    ({ id, nodes }) =>
      `${id}: ${nodes
        .slice(0, 3)
        .map(({ target }) => target.join(" "))
        .join(", ")}`,
  );
}
export const none = (list) => (list.length ? list.slice(0, 8) : true);

export const fitsWidth = (page) =>
  page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return scrollWidth <= clientWidth || `${scrollWidth} in ${clientWidth}`;
  });
export const shot = (page, name, options = {}) =>
  page.screenshot({ path: `${shots}/${name}.png`, ...options });
export const focused = (page) =>
  page.evaluate(() => document.activeElement?.id || document.activeElement?.tagName);
