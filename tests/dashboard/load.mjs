// The page's scripts as modules of node's: their folder has no package.json, so they are read through a copy that has.
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const folder = mkdtempSync(join(tmpdir(), "tessera-page-"));
cpSync(fileURLToPath(new URL("../../node/dashboard/", import.meta.url)), folder, { recursive: true });
writeFileSync(join(folder, "package.json"), '{"type":"module"}');
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

export const page = (name) => import(pathToFileURL(join(folder, name)));
