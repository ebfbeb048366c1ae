/**
 * The datasets of a request: where their manifests lie, and what these say. A manifest is looked at
 * anew in every run; its parsing is kept by its ETag.
 */

import { InvalidRequestError } from '../common/errors.ts';
import { type DatasetManifest, parseDatasetManifest } from '../contract/dataset-manifest.ts';
import type { MetricRunRequest } from '../contract/metric-run.ts';
import {
  type BucketPolicy,
  checkKey,
  type ObjectLocation,
  parseLocation,
  parsePrefix,
  uriOf,
} from '../contract/object-location.ts';
import type { Lake } from '../lake/lake.ts';
import { filesBySeries } from './dataset-files.ts';

export interface DatasetPlace {
  readonly datasetId: string;
  readonly manifest: ObjectLocation;
  /** The folder that the manifest's paths begin in. */
  readonly projections: ObjectLocation;
}

export interface Dataset extends DatasetPlace {
  readonly etag: string;
  readonly contents: DatasetManifest;
  readonly files: ReturnType<typeof filesBySeries>;
}

/** `<dataset folder>/projections/`, where the manifest is `<dataset folder>/<version>/manifest.json`. */
function defaultProjections(manifest: ObjectLocation, path: string): ObjectLocation {
  const folder = manifest.key.split('/').slice(0, -2).join('/');
  const key = folder === '' ? 'projections/' : `${folder}/projections/`;
  return { bucket: manifest.bucket, key: checkKey(key, path) };
}

/** Where the dataset lies that the request reads `code` from; CONFIG_ERROR or INPUT_READ_ERROR. */
export function placeOfSeries(request: MetricRunRequest, code: string, policy: BucketPolicy): DatasetPlace {
  const input = request.inputs.find(({ seriesCode }) => seriesCode === code);
  if (input === undefined) {
    const why = 'the request\'s "inputs" name no dataset for it';
    throw new InvalidRequestError('INPUT_READ_ERROR', `Failed to read input series: ${code} (${why})`);
  }
  const { datasets } = request.catalog;
  const { datasetId } = input;
  const entry = Object.hasOwn(datasets, datasetId) ? datasets[datasetId] : undefined;
  if (entry === undefined) {
    throw new InvalidRequestError(
      'CONFIG_ERROR',
      `catalog.datasets: has no entry "${datasetId}", which the inputs name for series ${code}`,
    );
  }
  const path = `catalog.datasets.${datasetId}`;
  const manifest = parseLocation(entry.manifestPath, `${path}.manifestPath`, policy);
  const given = entry.projectionsPath;
  const projections =
    given === null || given === undefined
      ? defaultProjections(manifest, `${path}.manifestPath`)
      : parsePrefix(given, `${path}.projectionsPath`, policy);
  return { datasetId, manifest, projections };
}

const MAX_KEPT = 32;

export type OpenDataset = (place: DatasetPlace, signal?: AbortSignal) => Promise<Dataset>;

/** One run's view: each dataset is looked at once, so that all of its series are of one version. */
export function oncePerRun(open: OpenDataset): OpenDataset {
  const opened = new Map<string, Promise<Dataset>>();
  return async (place, signal) => {
    const key = keyOf(place);
    const opening = opened.get(key) ?? open(place, signal);
    opened.set(key, opening);
    return { ...(await opening), ...place };
  };
}

function keyOf({ manifest, projections }: DatasetPlace): string {
  return `${uriOf(manifest)}\n${uriOf(projections)}`;
}

/** Opens datasets, keeping the parsed manifests of the last few by place and ETag. */
export function createDatasetOpener(lake: Lake, policy: BucketPolicy): OpenDataset {
  const kept = new Map<string, Dataset>();

  return async (place, signal) => {
    const uri = uriOf(place.manifest);
    const key = keyOf(place);
    const missing = () =>
      new InvalidRequestError('INPUT_READ_ERROR', `The dataset manifest ${uri} does not exist`);
    const known = kept.get(key);
    if (known !== undefined) {
      const facts = await lake.store.head(place.manifest, { signal });
      if (facts === undefined) throw missing();
      if (facts.etag === known.etag) return { ...known, ...place };
    }
    const stored = await lake.store.get(place.manifest, { signal });
    if (stored === undefined) throw missing();
    const contents = parseDatasetManifest(stored.bytes, uri);
    const files = filesBySeries(contents, place.projections, policy, uri);
    const dataset: Dataset = { ...place, etag: stored.etag, contents, files };
    kept.delete(key);
    kept.set(key, dataset);
    for (const oldest of kept.keys()) {
      if (kept.size <= MAX_KEPT) break;
      kept.delete(oldest);
    }
    return dataset;
  };
}
