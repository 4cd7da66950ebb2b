/** Letters in pictures: the few that name sides of the body. */
import type { Picture } from './pictures.ts';

/** Rows of five pixels, a bit each. */
const GLYPHS: Readonly<Record<string, readonly number[]>> = {
  A: [0b01110, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001],
  R: [0b11110, 0b10001, 0b10001, 0b11110, 0b10100, 0b10010, 0b10001],
};

/** Writes a letter in white with a black rim, 5 x 7 pixels; what lies beyond the picture is cut off. */
export function write(picture: Picture, letter: keyof typeof GLYPHS, left: number, top: number): void {
  const { width, height, rgb } = picture;
  const dot = (x: number, y: number, grey: number) => {
    if (x >= 0 && y >= 0 && x < width && y < height)
      rgb.fill(grey, 3 * (y * width + x), 3 * (y * width + x) + 3);
  };
  for (const grey of [0, 255])
    GLYPHS[letter].forEach((row, y) => {
      for (let x = 0; x < 5; x++) {
        if (!((row >> (4 - x)) & 1)) continue;
        if (grey === 255) dot(left + x, top + y, grey);
        else for (const dx of [-1, 0, 1]) for (const dy of [-1, 0, 1]) dot(left + x + dx, top + y + dy, grey);
      }
    });
}
