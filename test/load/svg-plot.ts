/** A small plot of lines as SVG, by hand: axes with round ticks, a legend, colours that differ in grey too. */

import type { Plot } from './load-case.ts';

const WIDTH = 640;
const HEIGHT = 260;
const LEFT = 62;
const RIGHT = 16;
const TOP = 34;
const BOTTOM = 44;
const COLOURS = ['#1b5e8c', '#d9822b', '#5b8c3a', '#8c3a6b'];
const TICKS = 5;
/** More points than this make a line no better, and a file larger. */
const MOST_POINTS = 240;

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const short = (value: number) => Number(value.toFixed(1));

/** A step of 1, 2 or 5 times a power of ten, of which about `TICKS` cover `span`. */
export function roundStep(span: number): number {
  const rough = span / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((each) => each * power >= rough) ?? 10;
  return factor * power;
}

/** Ticks from 0, or from below a negative least value, to above the greatest. */
export function ticksOf(least: number, greatest: number): number[] {
  const from = Math.min(0, least);
  const step = roundStep(Math.max(greatest - from, 1e-9));
  const first = Math.floor(from / step);
  const last = Math.max(first + 1, Math.ceil(greatest / step));
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

function thinned<T>(points: readonly T[]): readonly T[] {
  const every = Math.ceil(points.length / MOST_POINTS);
  return points.filter((_, i) => i % every === 0 || i === points.length - 1);
}

export function svgOf({ title, x, y, lines }: Plot): string {
  const points = lines.flatMap((line) => line.points);
  const xs = ticksOf(Math.min(...points.map(([at]) => at)), Math.max(...points.map(([at]) => at)));
  const ys = ticksOf(
    Math.min(...points.map(([, value]) => value)),
    Math.max(...points.map(([, value]) => value)),
  );
  const scale = (ticks: readonly number[], from: number, to: number) => (value: number) => {
    const [first = 0, last = 1] = [ticks[0], ticks.at(-1)];
    return short(from + ((value - first) / (last - first)) * (to - from));
  };
  const px = scale(xs, LEFT, WIDTH - RIGHT);
  const py = scale(ys, HEIGHT - BOTTOM, TOP);
  const text = (at: readonly [number, number], words: string, more = '') =>
    `<text x="${at[0]}" y="${at[1]}"${more}>${escaped(words)}</text>`;
  const middle = ' text-anchor="middle"';
  const grid = ys.flatMap((value) => [
    `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${py(value)}" y2="${py(value)}" stroke="#ddd"/>`,
    text([LEFT - 6, py(value) + 4], value.toLocaleString('en'), ' text-anchor="end"'),
  ]);
  const bottom = xs.map((value) =>
    text([px(value), HEIGHT - BOTTOM + 16], value.toLocaleString('en'), middle),
  );
  const drawn = lines.flatMap(({ name, points: own }, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const path = thinned(own).map(([at, value]) => `${px(at)},${py(value)}`);
    const legend = WIDTH - RIGHT - 110 * (lines.length - i);
    return [
      `<polyline points="${path.join(' ')}" fill="none" stroke="${colour}" stroke-width="1.8"/>`,
      ...(own.length <= 24
        ? own.map(([at, value]) => `<circle cx="${px(at)}" cy="${py(value)}" r="3" fill="${colour}"/>`)
        : []),
      `<rect x="${legend}" y="${TOP - 19}" width="14" height="4" fill="${colour}"/>`,
      text([legend + 19, TOP - 13], name),
    ];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="11">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text([LEFT, 16], title, ' font-size="13" font-weight="bold"'),
    ...grid,
    ...bottom,
    text([(LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10], x, middle),
    `<text transform="translate(14 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)"${middle}>${escaped(y)}</text>`,
    ...drawn,
    '</svg>',
    '',
  ].join('\n');
}
