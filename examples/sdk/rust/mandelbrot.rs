//! The Mandelbrot set, a byte for each pixel: how fast it escapes, 255 for never. An item is a pixel, row by row, and
//! partials join by the built-in merge `concat`, so this exports none. --items is width * height.
#![no_std]

use tessera::Slot;

#[repr(C)]
#[derive(Clone, Copy)]
struct View {
    width: u32,
    height: u32,
    centre: [f64; 2],
    span: f64, // The width of the picture, in the plane.
}
unsafe impl tessera::Value for View {}

impl View {
    fn point(&self, pixel: u64) -> [f64; 2] {
        let (width, height) = (self.width as f64, self.height as f64);
        let (column, row) = (pixel % self.width as u64, pixel / self.width as u64);
        let step = self.span / width;
        [
            self.centre[0] + (column as f64 - width * 0.5) * step,
            self.centre[1] + (row as f64 - height * 0.5) * step,
        ]
    }
}

fn escape([cx, cy]: [f64; 2]) -> u8 {
    let (mut x, mut y) = (0.0, 0.0);
    for n in 0..255 {
        let (xx, yy) = (x * x, y * y);
        if xx + yy > 4.0 {
            return n;
        }
        y = 2.0 * x * y + cy;
        x = xx - yy + cx;
    }
    255
}

tessera::run! {
    let view = tessera::read_or(Slot::Params, View { width: 512, height: 512, centre: [-0.75, 0.0], span: 3.0 });
    for pixel in tessera::items() {
        tessera::write(&escape(view.point(pixel)));
    }
}
