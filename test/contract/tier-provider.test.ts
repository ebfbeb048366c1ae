import { describe, expect, test } from '@jest/globals';
import { hotPrefix, tierRoot, warmPrefix } from '../../src/contract/tier-keys.ts';
import {
  canonicalColumns,
  findProvider,
  parseProvidersFile,
  sortColumns,
  tierProviders,
} from '../../src/contract/tier-provider.ts';
import { POLARS_NAMES, tierCases } from './tier-cases.ts';

describe('a built-in provider', () => {
  test.each(tierCases.config)(
    '$provider under $env is as the original writers have it',
    ({ env, provider, expected }) => {
      const found = findProvider(tierProviders(), provider);
      const columns = canonicalColumns(found);
      const root = tierRoot(env.TITANS_ENV ?? 'production');
      // The bucket is a setting here (AWS_S3_BUCKET), not the provider's.
      const { bucket: _, ...rest } = expected as typeof expected & { bucket?: string };
      expect({
        name: found.name,
        hotPrefix: hotPrefix(root, found.name),
        warmPrefix: warmPrefix(root, found.name),
        pkColumns: found.keyColumns,
        valueColumns: found.values.map(({ name }) => name),
        timeColumn: found.timeColumn,
        scoreColumn: found.scoreColumn,
        canonicalColumns: columns.map(({ name }) => name),
        dtypes: Object.fromEntries(columns.map(({ name, kind }) => [name, POLARS_NAMES[kind]])),
      }).toEqual(rest);
    },
  );

  test.each(tierCases.configErrors)(
    '$provider is none, and the error says which there are',
    ({ provider, expectedError }) => {
      const find = () => findProvider(tierProviders(), provider);
      expect(find).toThrow(expect.objectContaining({ code: 'CONFIG_ERROR', kind: 'invalid' }));
      expect(find).toThrow(expectedError.message ?? expectedError.contains ?? '');
    },
  );
});

describe('a providers file', () => {
  const oci = { name: 'oci', keyColumns: ['Shape', 'Region'], values: { Price: 'float64', Free: 'int64' } };
  const parse = (providers: unknown) => parseProvidersFile(JSON.stringify({ providers }), 'own.json');

  test('adds providers, with the time column and score column it leaves out', () => {
    const [own] = parse([oci]);
    expect(own).toEqual({
      name: 'oci',
      keyColumns: ['Shape', 'Region'],
      timeColumn: 'Time',
      values: [
        { name: 'Price', kind: 'float64' },
        { name: 'Free', kind: 'int64' },
      ],
      scoreColumn: 'Price',
    });
    expect(sortColumns(own!)).toEqual(['Shape', 'Region', 'Time']);
    const providers = tierProviders([own!]);
    expect([...providers.keys()]).toEqual(['aws', 'azure', 'gcp', 'oci']);
    expect(() => findProvider(providers, 'x')).toThrow("Supported: ['aws', 'azure', 'gcp', 'oci']");
  });

  test('may put its own in the place of a built-in one', () => {
    const providers = tierProviders(
      parse([{ ...oci, name: 'azure', timeColumn: 'At', scoreColumn: 'Free' }]),
    );
    expect(findProvider(providers, 'azure')).toMatchObject({ timeColumn: 'At', scoreColumn: 'Free' });
    expect([...providers.keys()]).toEqual(['aws', 'azure', 'gcp']);
  });

  test.each([
    ['no JSON', '{', 'own.json is not JSON'],
    ['no object', '[]', 'the document'],
    ['no providers', '{}', 'providers:'],
    [
      'an unknown field',
      JSON.stringify({ providers: [{ ...oci, columns: [] }] }),
      'providers[0]: has fields that are not known: columns',
    ],
    [
      'a name that is no key',
      JSON.stringify({ providers: [{ ...oci, name: '../x' }] }),
      'providers[0].name: must be 1 to 63',
    ],
    ['a name twice', JSON.stringify({ providers: [oci, oci] }), 'providers[1].name: "oci" is there twice'],
    [
      'no key columns',
      JSON.stringify({ providers: [{ ...oci, keyColumns: [] }] }),
      'providers[0].keyColumns: must name a column',
    ],
    [
      'a column twice',
      JSON.stringify({ providers: [{ ...oci, keyColumns: ['Price'] }] }),
      'providers[0].values.Price: "Price" is named twice',
    ],
    [
      'Ceased as a column',
      JSON.stringify({ providers: [{ ...oci, keyColumns: ['Ceased'] }] }),
      'providers[0].keyColumns[0]: "Ceased" is a column',
    ],
    [
      'a type that is none',
      JSON.stringify({ providers: [{ ...oci, values: { a: 'int32' } }] }),
      'providers[0].values.a: must be "int64" or "float64"',
    ],
    [
      'no values',
      JSON.stringify({ providers: [{ ...oci, values: {} }] }),
      'providers[0].values: must have a column',
    ],
    [
      'a score that is no value',
      JSON.stringify({ providers: [{ ...oci, scoreColumn: 'Region' }] }),
      'providers[0].scoreColumn: must be one of "values"',
    ],
  ])('with %s is refused, and the error says where', (_, text, message) => {
    const parseText = () => parseProvidersFile(text, 'own.json');
    expect(parseText).toThrow(message);
    expect(parseText).toThrow(expect.objectContaining({ code: 'CONFIG_ERROR' }));
  });

  test('tells all that is wrong at once', () => {
    const parseText = () => parse([{ ...oci, name: 'A' }, { name: 'b' }]);
    expect(parseText).toThrow(/providers\[0\]\.name.*providers\[1\]\.keyColumns.*providers\[1\]\.values/s);
  });
});
