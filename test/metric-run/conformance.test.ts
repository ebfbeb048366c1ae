import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { CONFORMANCE_TOLERANCE, closeTo, conformanceCases } from '../support/conformance-cases.ts';
import { codesNamed, plainRequest, v1Request } from '../support/metric-requests.ts';
import { openRig, type Rig } from '../support/rig.ts';
import type { Scene } from '../support/scene.ts';

let rig: Rig;
let scene: Scene;

const cases = conformanceCases().map((given, i) => ({ ...given, id: given.id, dataset: `case-${i}`, i }));

/** Every case is a dataset and a run of its own; all are sent at once, in either form by turns. */
beforeAll(async () => {
  rig = await openRig();
  scene = await rig.scene();
  const worker = scene.worker();
  for (const { dataset, series, expression, expressionType, i } of cases) {
    await scene.dataset(dataset, Object.fromEntries(series));
    const inputs = { [dataset]: [...new Set([...series.keys(), ...codesNamed(expression)])] };
    const request = i % 2 === 0 ? plainRequest : v1Request;
    await scene.send(
      request({ runId: dataset, metricCode: dataset, expressionType, expressionJson: expression, inputs }),
    );
  }
  await worker;
});

afterAll(() => rig.close());

describe('a metric run, from its message to its file, answers every conformance case', () => {
  test.each(cases)('$id', async ({ dataset, i, expected, expectedError }) => {
    const completed = await scene.events.completed(dataset);
    if (expected === undefined) {
      const error = completed.error as { code: string };
      expect(completed).toMatchObject({ status: 'FAILURE' });
      expect(i % 2 === 0 ? String(error).split(':')[0] : error.code).toBe(expectedError);
      return;
    }
    expect(completed).toMatchObject({ status: 'SUCCESS', rowCount: expected.length });
    const { columns, rows } = await scene.output(completed.outputManifest);
    expect(columns).toEqual(['obs_time TIMESTAMP WITH TIME ZONE', 'value DOUBLE']);
    expect(rows.map(([time]) => time)).toEqual(expected.map(([time]) => time));
    rows.forEach(([, value], row) => {
      const [time, wanted] = expected[row]!;
      const same = closeTo(value, wanted, CONFORMANCE_TOLERANCE);
      expect({ time, value, same }).toEqual({ time, value, same: true });
    });
  });

  test('and nothing is left in the queue or in the dead-letter queue', async () => {
    await scene.drained();
    expect(await scene.deadLetter(0)).toBeUndefined();
  });
});
