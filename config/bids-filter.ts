/**
 * BIDS filter files, as fMRIPrep and QSIPrep take them: `{ "dwi": { "acquisition": "b1000", "run": [1, 2] } }`, entities by
 * their long names. What they say of diffusion series becomes the study file's `select`.
 */
import type { Study } from './study.ts';

/** Long names of entities (BIDS schema, objects/entities) that a diffusion series can have, and what file names have. */
const ENTITIES: Readonly<Record<string, string>> = {
  acquisition: 'acq',
  direction: 'dir',
  reconstruction: 'rec',
  run: 'run',
  echo: 'echo',
  part: 'part',
  chunk: 'chunk',
  ceagent: 'ce',
  sample: 'sample',
};

/** Keys that say what a diffusion series is, and the values it has. */
const FIXED: Readonly<Record<string, readonly string[]>> = {
  datatype: ['dwi'],
  suffix: ['dwi'],
  extension: ['.nii', '.nii.gz', 'nii', 'nii.gz'],
};

type Select = Study['select'];

/**
 * Reads the content of a filter file. Queries of other images (t1w, bold) are of no concern here.
 * @param sessions labels of the study, without ses-
 * @returns selection by entity, the empty label standing for its absence; and what cannot be followed
 */
export function selectOf(
  content: unknown,
  sessions: readonly (string | null)[],
): { select: Select; problems: string[] } {
  const problems: string[] = [];
  const select: Record<string, string[]> = {};
  if (!isObject(content)) return { select, problems: ['it holds no JSON object'] };
  if (Object.keys(isObject(content['fmap']) ? content['fmap'] : {}).some((key) => !(key in FIXED)))
    problems.push(
      'fmap: fieldmaps are chosen by B0FieldIdentifier and IntendedFor in their sidecars; leave this query out',
    );
  const query = content['dwi'] ?? {};
  if (!isObject(query)) return { select, problems: [...problems, 'dwi: it is no JSON object'] };
  for (const [key, value] of Object.entries(query)) {
    const labels = labelsOf(value);
    if (labels === undefined) problems.push(`dwi.${key}: it is neither a label, a list of labels, nor null`);
    else if (key in FIXED) {
      if (!labels.some((label) => FIXED[key].includes(label)))
        problems.push(`dwi.${key}: ${labels.join(', ')} is no diffusion series`);
    } else if (key === 'session') {
      const missing = sessions.filter((label) => label !== null && !labels.includes(label));
      if (missing.length > 0)
        problems.push(
          `dwi.session: it leaves out ${missing.join(' and ')} of the study; for one session use --session-label`,
        );
    } else if (key === 'subject') problems.push('dwi.subject: use --participant-label');
    else if (key in ENTITIES) select[ENTITIES[key]] = labels;
    else
      problems.push(
        `dwi.${key}: it is no entity of a diffusion series; known: ${Object.keys(ENTITIES).join(', ')}`,
      );
  }
  return { select, problems };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Labels of a value; null (or pybids's spelling of it) is the empty label. */
function labelsOf(value: unknown): string[] | undefined {
  const labels = [value].flat().map((item) => {
    if (item === null || item === 'Query.NONE') return '';
    const text = typeof item === 'number' || typeof item === 'string' ? String(item) : undefined;
    return text === undefined || text.startsWith('Query.') ? undefined : text.replace(/^ses-/, '');
  });
  return labels.length > 0 && labels.every((label) => label !== undefined) ? labels : undefined;
}
