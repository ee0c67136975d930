// A job's result as a file of the browser's.
import { jobPath } from "./api.js";
import { make } from "./dom.js";
import { kernelName, shortJob } from "./text.js";

export const savedBytesMax = 1 << 28; // It passes through this page's memory.

const endings = { "image/png": ".png", "text/plain": ".txt", "application/json": ".json" };

export async function saveResult(api, job) {
  const blob = await api.blob(jobPath(job.job, "/result"));
  const url = URL.createObjectURL(blob);
  const name = `${kernelName(job.kernel)}-${shortJob(job.job)}${endings[job.result.type] ?? ".bin"}`;
  const link = make("a", { href: url, download: name.replace(/[^\w.-]/g, "_") });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
