// A job's progress as a line, cut by who did what. Pure.

// {node, from, to} of 0 to 1, who did most first; what nobody is named for comes last.
export function segments(job) {
  const all = Math.max(1, job.microtasks);
  const shares = job.shares
    .filter((share) => share.microtasks > 0)
    .sort((a, b) => b.microtasks - a.microtasks);
  const named = shares.reduce((sum, share) => sum + share.microtasks, 0);
  const scale = named > job.done ? job.done / named : 1; // Of all rounds, or re-run.
  const found = [];
  let at = 0;
  const add = (node, n) => {
    if (n > 0) found.push({ node, from: at, to: (at += n / all) });
  };
  for (const share of shares) add(share.node, share.microtasks * scale);
  add(null, job.done - named * scale);
  return found;
}
