/** BIDS file names: `sub-01_ses-1_dir-AP_dwi.nii.gz` is entities, a suffix and an extension. Pure. */

export interface BidsName {
  /** File name as it is. */
  readonly name: string;
  /** Entity -> label, such as `dir` -> `AP`. */
  readonly entities: Readonly<Record<string, string>>;
  readonly suffix: string;
  /** From the first dot on: `.nii.gz`. */
  readonly extension: string;
}

/** Takes a file name apart; undefined where it is not of BIDS's form. Unknown entities are kept. */
export function parseName(name: string): BidsName | undefined {
  const dot = name.indexOf('.');
  if (dot <= 0) return undefined;
  const parts = name.slice(0, dot).split('_');
  const suffix = parts.pop()!;
  const entities: Record<string, string> = {};
  for (const part of parts) {
    const dash = part.indexOf('-');
    if (dash <= 0) return undefined;
    entities[part.slice(0, dash)] = part.slice(dash + 1);
  }
  return suffix === '' || suffix.includes('-')
    ? undefined
    : { name, entities, suffix, extension: name.slice(dot) };
}

export function isNifti(name: BidsName): boolean {
  return name.extension === '.nii' || name.extension === '.nii.gz';
}

/** True where every entity of `general` is in `special` with the same label: BIDS's rule for which file applies. */
export function applies(general: BidsName, special: BidsName): boolean {
  return Object.entries(general.entities).every(([entity, label]) => special.entities[entity] === label);
}

const REVERSED: Record<string, string> = {
  AP: 'PA',
  PA: 'AP',
  LR: 'RL',
  RL: 'LR',
  IS: 'SI',
  SI: 'IS',
  A: 'P',
  P: 'A',
  L: 'R',
  R: 'L',
};

/** The label of the opposite phase encoding, where the label is one of a known pair; in upper case. */
export function reversedLabel(label: string): string | undefined {
  return REVERSED[label.toUpperCase()];
}

/** Label of the phase-encode direction: `dir-`; else an `acq-` that is or ends in AP, PA, LR or RL. */
export function directionLabel({ entities }: BidsName): string | undefined {
  return entities['dir'] ?? /(?:^|[a-z0-9])(AP|PA|LR|RL)$/.exec(entities['acq'] ?? '')?.[1];
}

/**
 * True where the name's entities are those asked for; the empty label asks for names without the entity. A fieldmap
 * without the entity serves all sets, so it stays.
 */
export function selected(name: BidsName, select: Readonly<Record<string, readonly string[]>>): boolean {
  const plain = (label: string) => label.replace(/^0+(?=\d+$)/, '');
  return Object.entries(select).every(([entity, labels]) => {
    const label = name.entities[entity];
    if (label === undefined) return name.suffix !== 'dwi' || labels.includes('');
    return labels.some((wanted) => plain(wanted) === plain(label));
  });
}
