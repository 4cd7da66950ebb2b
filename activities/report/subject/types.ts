/** What the subject's page is made from. Plain data: pictures are files below `figures/`, drawn once and kept. */

/** Parts of the page that hold figures, in their order. */
export const FIGURE_SECTIONS = [
  'topup',
  'eddy',
  'slices',
  'motion',
  'direction',
  'registration',
  'regions',
  'change',
] as const;
export type FigureSection = (typeof FIGURE_SECTIONS)[number];

/** One picture, or two of the same size that are shown in turn. */
export interface Figure {
  readonly section: FigureSection;
  /** Session as printed, or null where it is about the whole subject. */
  readonly place: string | null;
  readonly caption: string;
  /** Files in `figures/` (PNG or SVG), each with what it shows; the first is before, the second after. */
  readonly frames: readonly { readonly file: string; readonly label: string }[];
  /** Also shown in the group's report. */
  readonly overview?: boolean;
}

/** A map to be looked at in three planes: a small NIfTI file in `figures/`. */
export interface ViewerMap {
  readonly file: string;
  readonly name: string;
  /** How it is coloured: grey, from below to above zero, or by region. */
  readonly colours: 'gray' | 'diverging' | 'regions';
  /** Values at the ends of the colours. */
  readonly range: readonly [number, number];
}

/** Index of what was drawn of a subject: `figures/figures.json`. */
export interface Drawn {
  readonly figures: readonly Figure[];
  readonly maps: readonly ViewerMap[];
}
