/** Ingest runs over a few small files: one of them is bad now and then, one changes while runs go on. */

import type { Dice } from './dice.ts';
import { type Part, type PlannedFile, type PlannedRequest, SENDING_MS, type Stress } from './plan.ts';

type Form = 'csv-wide' | 'csv-long' | 'jsonl-long';

const MAPPINGS = {
  'csv-wide': { layout: 'wide', time: 'date', values: { max: 'T_MAX', min: 'T_MIN' } },
  'csv-long': { layout: 'long', time: 'time', series: 'series', value: 'value' },
  'jsonl-long': { layout: 'long', time: 'time', series: 'series', value: 'value' },
} as const;

const day = (n: number) => new Date(Date.UTC(2024, 0, 25) + n * 86_400_000).toISOString().slice(0, 10);

/** The text of one file; `first` is the first of its days. Now and then two files have a day in common. */
function fileText(dice: Dice, form: Form, first: number, bad: boolean): string {
  const rows = Array.from({ length: dice.whole(1, 8) }, (_, i) => ({
    date: day(first + i),
    a: dice.chance(0.1) ? null : dice.whole(-200, 400) / 4,
    b: dice.whole(-200, 400) / 4,
  }));
  const broken = bad ? dice.whole(0, rows.length - 1) : -1;
  const cell = (value: number | null, i: number) => (i === broken ? 'many' : (value ?? ''));
  switch (form) {
    case 'csv-wide':
      return `date,max,min\n${rows.map(({ date, a, b }, i) => `${date},${cell(a, i)},${b}\n`).join('')}`;
    case 'csv-long':
      return `series,time,value\n${rows
        .map(({ date, a, b }, i) => `S_A,${date},${cell(a, i)}\nS_B,${date},${b}\n`)
        .join('')}`;
    case 'jsonl-long':
      return rows
        .map(
          ({ date, a }, i) =>
            `${JSON.stringify({ series: 'S_A', time: date, value: i === broken ? 'many' : a })}\n`,
        )
        .join('');
  }
}

export function planIngest(dice: Dice, stress: Stress): Part {
  const files: PlannedFile[] = [];
  const requests: PlannedRequest[] = [];
  const ingestions = stress === 'ingest' ? dice.whole(1, 2) : dice.chance(0.6) ? 1 : 0;
  for (let i = 0; i < ingestions; i++) {
    const form = dice.pick(['csv-wide', 'csv-long', 'jsonl-long'] as const);
    const ending = form === 'jsonl-long' ? 'jsonl' : 'csv';
    const count = stress === 'ingest' ? dice.whole(4, 9) : dice.whole(2, 4);
    const bad = dice.chance(0.3) ? dice.whole(0, count - 1) : -1;
    const key = (n: number) => `raw/i${i}/${n}.${ending}`;
    for (let n = 0; n < count; n++) {
      files.push({ at: 0, key: key(n), text: fileText(dice, form, n * dice.pick([6, 9]), n === bad) });
    }
    if (dice.chance(0.5)) {
      const n = dice.whole(0, count - 1);
      files.push({
        at: dice.whole(500, 2_500),
        key: key(n),
        text: fileText(dice, form, n * 6, n === bad && dice.chance(0.5)),
      });
    }
    const runs = stress === 'ingest' ? dice.whole(3, 6) : dice.whole(1, 2);
    for (let run = 0; run < runs; run++) {
      const requestId = dice.uuid();
      const body = {
        type: 'ingest_run_requested',
        requestId,
        ingestionId: `in${i}`,
        source: { prefix: `raw/i${i}/` },
        mapping: MAPPINGS[form],
        target: { datasetId: `ing${i}` },
        options: {
          ...(dice.chance(0.2) ? { force: true } : {}),
          ...(dice.chance(0.2) ? { retryFailed: false } : {}),
          concurrency: dice.whole(1, 3),
        },
      };
      requests.push({
        id: requestId,
        kind: 'ingest',
        body: JSON.stringify(body),
        groupId: dice.chance(0.5) ? `ingest:in${i}` : `ingest:${requestId}`,
        deduplicationId: requestId,
        at: dice.whole(0, SENDING_MS),
      });
    }
  }
  return { files, requests };
}
