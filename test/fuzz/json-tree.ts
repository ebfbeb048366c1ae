/**
 * JSON as a tree that keeps what JSON.parse loses: members of one name, their order, and numbers as they
 * are written. So a mutated document can have all that a text can have.
 */

export type JsonNode =
  | { readonly kind: 'object'; readonly members: [name: string, value: JsonNode][] }
  | { readonly kind: 'array'; readonly items: JsonNode[] }
  /** A scalar, or any text at all in its place; names and texts are written by JSON.stringify. */
  | { readonly kind: 'raw'; text: string };

export const raw = (value: unknown): JsonNode => ({ kind: 'raw', text: JSON.stringify(value) ?? 'null' });

const MAX_DEPTH = 300;

/** Throws a RangeError for a value that nests too deep to be worked on by recursion. */
export function treeOf(value: unknown, depth = 0): JsonNode {
  if (typeof value !== 'object' || value === null) return raw(value);
  if (depth > MAX_DEPTH) throw new RangeError(`more than ${MAX_DEPTH} levels`);
  const below = (each: unknown) => treeOf(each, depth + 1);
  if (Array.isArray(value)) return { kind: 'array', items: value.map(below) };
  return { kind: 'object', members: Object.entries(value).map(([name, each]) => [name, below(each)]) };
}

export function textOf(node: JsonNode): string {
  if (node.kind === 'raw') return node.text;
  if (node.kind === 'array') return `[${node.items.map(textOf).join(',')}]`;
  const members = node.members.map(([name, value]) => `${JSON.stringify(name)}:${textOf(value)}`);
  return `{${members.join(',')}}`;
}

/** A node's place: where it is kept, so that it can be replaced or removed. */
export interface Place {
  readonly node: JsonNode;
  replace(next: JsonNode): void;
}

const MAX_PLACES = 5_000;

/** The root and the nodes below it, of a huge document the first few thousand. */
export function placesOf(root: JsonNode, replaceRoot: (next: JsonNode) => void): Place[] {
  const places: Place[] = [{ node: root, replace: replaceRoot }];
  for (let at = 0; at < places.length && places.length < MAX_PLACES; at++) {
    const { node } = places[at]!;
    if (node.kind === 'array') {
      node.items.forEach((item, i) => {
        places.push({
          node: item,
          replace(next) {
            node.items[i] = next;
          },
        });
      });
    } else if (node.kind === 'object') {
      for (const member of node.members) {
        places.push({
          node: member[1],
          replace(next) {
            member[1] = next;
          },
        });
      }
    }
  }
  return places;
}
