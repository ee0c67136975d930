import * as tessera from "./tessera";

// The Mandelbrot set, a byte for each pixel: how fast it escapes, 255 for never. An item is a pixel, row by row, and
// partials join by the built-in merge `concat`, so this exports none. --items is width * height. Parameters: width and
// height, u32; the centre and the width in the plane, three f64.

function escape(cx: f64, cy: f64): u8 {
  let x: f64 = 0, y: f64 = 0;
  for (let n: u8 = 0; n < 255; n++) {
    const xx = x * x, yy = y * y;
    if (xx + yy > 4) return n;
    y = 2 * x * y + cy;
    x = xx - yy + cx;
  }
  return 255;
}

export function run(): i32 {
  const width = tessera.read_or<u32>(tessera.Slot.PARAMS, 0, 512);
  const height = tessera.read_or<u32>(tessera.Slot.PARAMS, 4, 512);
  const centre_x = tessera.read_or<f64>(tessera.Slot.PARAMS, 8, -0.75);
  const centre_y = tessera.read_or<f64>(tessera.Slot.PARAMS, 16, 0);
  const span = tessera.read_or<f64>(tessera.Slot.PARAMS, 24, 3);
  const step = span / <f64>width;
  const end = tessera.end();
  for (let i = tessera.begin(); i < end; i++) {
    const column = <f64>(i % width), row = <f64>(i / width);
    tessera.write<u8>(escape(centre_x + (column - <f64>width * 0.5) * step, centre_y + (row - <f64>height * 0.5) * step));
  }
  return 0;
}
