import { expect, test } from '@jest/globals';
import { Releasers } from '../../src/common/releasers.ts';

/** A stack of things that tell when they are released; some fail. */
function stack(...names: string[]) {
  const released: string[] = [];
  const releasers = new Releasers();
  for (const name of names) {
    releasers.push(async () => {
      await null;
      released.push(name);
      if (name.startsWith('bad')) throw new Error(name);
    });
  }
  return { releasers, released };
}

test('what was opened last is released first, each once', async () => {
  const { releasers, released } = stack('a', 'b', 'c');
  await releasers.release();
  await releasers.release();
  expect(released).toEqual(['c', 'b', 'a']);
});

test('a failure keeps nothing else from being released, and is thrown at the end', async () => {
  const { releasers, released } = stack('a', 'bad', 'c');
  await expect(releasers.release()).rejects.toThrow('bad');
  expect(released).toEqual(['c', 'bad', 'a']);
});

test('several failures are thrown together', async () => {
  const { releasers } = stack('bad 1', 'a', 'bad 2');
  const failure = (await releasers.release().catch((error: unknown) => error)) as AggregateError;
  expect(failure.errors.map((error: Error) => error.message)).toEqual(['bad 2', 'bad 1']);
});
