/**
 * What FSL says of its atlases: an XML file for each in `data/atlases`, whose form FSLeyes' guide describes ("Custom
 * atlases"). It is small and fixed, so a few patterns read it.
 */
import type { RoiLabel } from './study.ts';

export interface AtlasDescription {
  /** Images it speaks of, relative to its folder, without extension: `HarvardOxford/HarvardOxford-sub-prob-1mm`. */
  readonly images: readonly string[];
  /** By the number in a label image of the atlas. */
  readonly labels: readonly RoiLabel[];
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function text(xml: string): string {
  return xml
    .replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (whole, decimal, hex, name) =>
      name
        ? (ENTITIES[name] ?? whole)
        : String.fromCodePoint(decimal ? Number(decimal) : Number.parseInt(hex, 16)),
    )
    .trim();
}

/**
 * Reads an atlas's XML. An index there counts volumes of probabilities from 0; in the label image that sums them up a
 * region's number is one more. In an atlas of type Label the index is the number itself. The background, 0, is no region.
 * @returns undefined for any other XML
 */
export function readAtlas(content: Buffer): AtlasDescription | undefined {
  const encoding = /^<\?xml[^>]*encoding="([^"]+)"/.exec(content.subarray(0, 200).toString('latin1'))?.[1];
  const xml = content
    .toString(encoding && /^(iso-8859-1|latin-?1)$/i.test(encoding) ? 'latin1' : 'utf8')
    .replace(/<!--[\s\S]*?-->/g, '');
  const type = /<type>\s*(\w+)\s*<\/type>/i.exec(xml)?.[1];
  if (type === undefined || !/<atlas\b/.test(xml)) return undefined;
  const offset = /^prob/i.test(type) ? 1 : 0;
  const labels = [...xml.matchAll(/<label\b[^>]*?\sindex="(\d+)"[^>]*>([^<]*)<\/label>/g)].map(
    ([, index, name]) => ({ index: Number(index) + offset, name: text(name) }),
  );
  return {
    images: [...xml.matchAll(/<(?:summary)?imagefile>([^<]*)</g)].map(([, path]) =>
      text(path)
        .replace(/^\/+/, '')
        .replace(/\.nii(\.gz)?$/, ''),
    ),
    labels: labels.filter(({ index }) => index > 0),
  };
}

/** Folder and name of an atlas image without its kind and grid: `HarvardOxford-sub` of `...-maxprob-thr25-1mm`. */
function familyOf(image: string): string {
  return image.replace(/-(?:maxprob|prob|labels?)\b.*$/, '').replace(/-\d+mm$/, '');
}

/** True where a description is about an image: named in it, or the same atlas at another threshold or grid. */
export function describes({ images }: AtlasDescription, image: string): 'exactly' | 'nearly' | undefined {
  if (images.includes(image)) return 'exactly';
  return images.some((one) => familyOf(one) === familyOf(image)) ? 'nearly' : undefined;
}

/** Numbers of the labels a word names; `*` stands for any letters. A name that holds a `*` itself is also found whole. */
export function numbersNamed(word: string, labels: readonly RoiLabel[]): number[] {
  const whole = labels.filter(({ name }) => name === word);
  if (whole.length > 0) return whole.map(({ index }) => index);
  const escaped = word.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  const pattern = new RegExp(`^${escaped.join('.*')}$`, 'i');
  return labels.filter(({ name }) => pattern.test(name)).map(({ index }) => index);
}
