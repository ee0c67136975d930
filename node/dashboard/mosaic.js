// Which peer laid which tiles of a job, and how far they are merged. The job's leaves are put into
// at most `columnsMax` columns; a block of 2^j leaves that is done reaches up to level j. Pure.

export const columnsMax = 512;

const levelOf = (leaves) => Math.max(0, Math.ceil(Math.log2(Math.max(1, leaves))));

export class Mosaic {
  constructor(leaves) {
    this.leaves = Math.max(1, leaves);
    this.columns = Math.min(this.leaves, columnsMax);
    this.owners = new Array(this.columns).fill(null);
    this.filled = new Float64Array(this.columns); // Leaves known to be done.
    this.heights = new Int8Array(this.columns).fill(-1); // Level up to which all is merged.
    this.top = levelOf(this.leaves);
    this.base = levelOf(this.leaves / this.columns); // The lowest level that columns can show.
  }

  get rows() {
    return this.top - this.base + 1;
  }
  start = (column) => (column * this.leaves) / this.columns;

  // A block done by `node` (null: by several), told when it is done or (merged) put together of its
  // two halves, which may come from a peer without having been told one by one. Whether it is new.
  lay({ first, leaves, node, merged }) {
    const end = Math.min(first + leaves, this.leaves);
    if (!(first >= 0 && first < end)) return false;
    const from = Math.floor((first * this.columns) / this.leaves);
    const to = Math.min(this.columns, Math.ceil((end * this.columns) / this.leaves));
    let fresh = false;
    for (let c = from; c < to; ++c) {
      const wide = this.start(c + 1) - this.start(c);
      const covered = Math.min(end, this.start(c + 1)) - Math.max(first, this.start(c));
      const whole = covered >= wide - 1e-9;
      const filled = whole
        ? wide
        : Math.min(wide, merged ? Math.max(this.filled[c], covered) : this.filled[c] + covered);
      const gained = filled > this.filled[c];
      fresh ||= gained;
      this.filled[c] = filled;
      if (node && (!merged || (gained && !this.owners[c]))) this.owners[c] = node;
      if (whole) this.heights[c] = Math.max(this.heights[c], levelOf(leaves));
    }
    return fresh;
  }

  // Every leaf is known to be done...
  get full() {
    return this.filled.every((n, c) => n >= this.start(c + 1) - this.start(c) - 1e-9);
  }
  // ...and all of them are one block.
  get whole() {
    return this.heights.every((height) => height >= this.top);
  }
  // 0 to 1: how much of a column is done, as far as was seen.
  fraction = (column) => this.filled[column] / (this.start(column + 1) - this.start(column));
  // Leaves that somebody is known to have laid.
  get seen() {
    return Math.round(this.filled.reduce((sum, n, c) => sum + (this.owners[c] ? n : 0), 0));
  }

  // The blocks of one row (0: the lowest that is shown), as columns {from, to}: all of them...
  all(row) {
    const size = 2 ** (this.base + row);
    const column = (leaf) => Math.min(this.columns, Math.round((leaf * this.columns) / this.leaves));
    const found = [];
    for (let first = 0; first < this.leaves; first += size)
      found.push({
        from: column(first),
        to: column(first + size),
        level: levelOf(Math.min(size, this.leaves - first)),
      });
    return found.filter(({ from, to }) => from < to);
  }

  // ...or those that are done. One that is cut at the last leaf goes by its lowest level.
  blocks = (row) =>
    this.all(row).filter(({ from, to, level }) => {
      for (let c = from; c < to; ++c) if (this.heights[c] < level) return false;
      return true;
    });
}
