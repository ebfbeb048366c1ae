/** Mutations of JSON documents by their structure: wrong types, fields missing, more, twice, nested, huge. */

import fc from 'fast-check';
import { HOSTILE_NAMES, hostileText } from './hostile-json.ts';
import { type JsonNode, type Place, placesOf, raw, textOf, treeOf } from './json-tree.ts';
import { MAX_INPUT_BYTES, mutateBytes } from './mutate-bytes.ts';
import { below, oneOf, type Random } from './random-choice.ts';

/** Of a hundred documents, so many are mutated by bytes, not by structure. */
const BYTES_PERCENT = 12;

function hostile(random: Random): JsonNode {
  const seed = below(random, 2 ** 31);
  return { kind: 'raw', text: fc.sample(hostileText, { seed, numRuns: 1 })[0]! };
}

type Mutation = (places: readonly Place[], random: Random) => void;

const objects = (places: readonly Place[]) => places.filter(({ node }) => node.kind === 'object');
const arrays = (places: readonly Place[]) => places.filter(({ node }) => node.kind === 'array');

/** Does `work` to a node of one kind, if there is one. */
function within<K extends JsonNode['kind']>(
  kind: K,
  work: (node: Extract<JsonNode, { kind: K }>, random: Random, places: readonly Place[]) => void,
): Mutation {
  return (places, random) => {
    const fitting = places.filter(({ node }) => node.kind === kind);
    if (fitting.length > 0)
      work(oneOf(random, fitting).node as Extract<JsonNode, { kind: K }>, random, places);
  };
}

/** The text value of a node, or undefined where it is none. */
function textValue(node: JsonNode): string | undefined {
  if (node.kind !== 'raw' || !node.text.startsWith('"')) return undefined;
  try {
    return JSON.parse(node.text) as string;
  } catch {
    return undefined; // A hostile text that is no JSON.
  }
}

/** A name that means something, or now and then one that is as long as a message may be. */
function hostileName(random: Random): string {
  return random() < 0.95 ? oneOf(random, HOSTILE_NAMES) : 'n'.repeat(Math.floor(2 ** (random() * 19)));
}

/**
 * How often to repeat a node, so that the document stays of a size. Each copy is one of its own: a mutation
 * of one that all of them share would multiply.
 */
function copies(node: JsonNode, random: Random): number {
  const room = MAX_INPUT_BYTES / (textOf(node).length + 16);
  return Math.floor(Math.min(room, 2 ** (random() * 12)));
}

const MUTATIONS: readonly Mutation[] = [
  (places, random) => oneOf(random, places).replace(hostile(random)),
  (places, random) =>
    oneOf(random, places.slice(1).length > 0 ? places.slice(1) : places).replace(hostile(random)),
  // A value that means something elsewhere in the document.
  (places, random) => oneOf(random, places).replace(structuredClone(oneOf(random, places).node)),
  within('object', ({ members }, random) => {
    if (members.length > 0) members.splice(below(random, members.length), 1);
  }),
  within('object', ({ members }, random) => {
    const at = below(random, members.length + 1);
    members.splice(at, 0, [hostileName(random), hostile(random)]);
  }),
  within('object', ({ members }, random) => {
    if (members.length === 0) return;
    const [name] = oneOf(random, members);
    members.splice(below(random, members.length + 1), 0, [name, hostile(random)]);
  }),
  within('object', ({ members }, random) => {
    if (members.length > 0) oneOf(random, members)[0] = hostileName(random);
  }),
  within('object', ({ members }, random) => {
    if (members.length === 0) return;
    const member = oneOf(random, members);
    const name = member[0];
    member[0] = oneOf(random, [name.toUpperCase(), `${name} `, ` ${name}`, name.slice(1), `${name}\0`]);
  }),
  within('object', ({ members }, random) => {
    if (members.length === 0) return;
    const [, value] = oneOf(random, members);
    const count = copies(value, random);
    for (let n = 0; n < count; n++) members.push([`extra-${n}`, structuredClone(value)]);
  }),
  within('array', ({ items }, random) => {
    if (items.length > 0) items.splice(below(random, items.length), 1);
  }),
  within('array', ({ items }, random) => {
    items.splice(below(random, items.length + 1), 0, hostile(random));
  }),
  within('array', ({ items }, random) => {
    if (items.length === 0) return;
    const item = oneOf(random, items);
    const count = copies(item, random);
    for (let n = 0; n < count; n++) items.push(structuredClone(item));
  }),
  within('array', ({ items }) => void items.reverse()),
  function wrap(places, random) {
    const place = oneOf(random, places);
    const levels = Math.floor(2 ** (random() * 9));
    const text = textOf(place.node);
    const [open, close] = oneOf(random, [
      ['[', ']'],
      ['{"a":', '}'],
      ['{"left":', '}'],
    ] as const);
    if (text.length < 100_000)
      place.replace({ kind: 'raw', text: open.repeat(levels) + text + close.repeat(levels) });
  },
  function hurtText(places, random) {
    const texts = places.filter(({ node }) => textValue(node) !== undefined);
    if (texts.length === 0) return;
    const place = oneOf(random, texts);
    const text = textValue(place.node)!;
    const at = below(random, text.length + 1);
    const piece = oneOf(random, [
      '\0',
      '\ud800',
      '\u{1f600}',
      '/',
      '..',
      '%',
      '.',
      ' ',
      '\n',
      '"',
      'é',
      '\u202e',
      '0',
      '-',
      ':',
    ]);
    place.replace(
      raw(
        oneOf(random, [
          text.slice(0, at) + piece + text.slice(at),
          text.slice(0, at),
          text.slice(at),
          text.slice(0, at) + text.slice(at + 1),
          text.repeat(Math.min(1 + 400_000 / (text.length + 1), 1 + 2 ** (random() * 12))),
          text.toUpperCase(),
          ` ${text} `,
        ]),
      ),
    );
  },
  function hurtNumber(places, random) {
    const numbers = places.filter(({ node }) => node.kind === 'raw' && /^-?\d/.test(node.text));
    if (numbers.length === 0) return;
    const place = oneOf(random, numbers);
    const { text } = place.node as { text: string };
    const value = Number(text);
    const next = [
      `-${text}`,
      `${text}e9`,
      `${text}.5`,
      String(value + 1),
      String(value - 1),
      `${text}${text}`,
      `"${text}"`,
    ];
    place.replace({ kind: 'raw', text: oneOf(random, next) });
  },
  function shuffle(places, random) {
    const some = [...objects(places), ...arrays(places)];
    if (some.length === 0) return;
    const { node } = oneOf(random, some);
    const list: unknown[] = node.kind === 'object' ? node.members : node.kind === 'array' ? node.items : [];
    for (let i = list.length - 1; i > 0; i--) {
      const j = below(random, i + 1);
      [list[i], list[j]] = [list[j], list[i]];
    }
  },
];

function parsed(input: Uint8Array): JsonNode | undefined {
  try {
    return treeOf(JSON.parse(Buffer.from(input).toString()));
  } catch {
    return undefined; // A corpus entry may be no JSON, or very deep.
  }
}

/** `input` with one to four mutations; what is no JSON or very deep, and a few others, are mutated by bytes. */
export function mutateJson(input: Uint8Array, random: Random, others: readonly Uint8Array[]): Buffer {
  const tree = below(random, 100) < BYTES_PERCENT ? undefined : parsed(input);
  if (tree === undefined) return mutateBytes(input, random, others);
  let root = tree;
  const replaceRoot = (next: JsonNode) => {
    root = next;
  };
  for (let n = 1 + Math.floor(random() ** 2 * 4); n > 0; n--) {
    oneOf(random, MUTATIONS)(placesOf(root, replaceRoot), random);
  }
  return Buffer.from(textOf(root)).subarray(0, MAX_INPUT_BYTES);
}
