/** The literature behind the methods: cited by key in the text, as pandoc does ([@holm1979]), numbered as they appear. */
import { type Html, html } from './markup.ts';

export interface Reference {
  readonly kind: 'article' | 'book' | 'techreport';
  /** As `Andersson JLR`. */
  readonly authors: readonly string[];
  /** There are more authors than those named. */
  readonly others?: boolean;
  readonly year: number;
  readonly title: string;
  /** Journal, publisher, or institution. */
  readonly where: string;
  /** Volume and pages, as journals print them; of a report its number. */
  readonly place: string;
  readonly doi?: string;
}

const article = (
  authors: string,
  year: number,
  title: string,
  where: string,
  place: string,
  doi?: string,
): Reference => {
  const others = authors.endsWith(', et al');
  const named = authors.replace(/, et al$/, '').split(', ');
  return { kind: 'article', authors: named, year, title, where, place, doi, ...(others ? { others } : {}) };
};

/** By key. */
export const REFERENCES: Readonly<Record<string, Reference>> = {
  allen2019: article(
    'Allen M, Poggiali D, Whitaker K, Marshall TR, Kievit RA',
    2019,
    'Raincloud plots: a multi-platform tool for robust data visualization',
    'Wellcome Open Research',
    '4:63',
    '10.12688/wellcomeopenres.15191.1',
  ),
  andersson2003: article(
    'Andersson JLR, Skare S, Ashburner J',
    2003,
    'How to correct susceptibility distortions in spin-echo echo-planar images: application to diffusion tensor imaging',
    'NeuroImage',
    '20:870-888',
    '10.1016/S1053-8119(03)00336-7',
  ),
  andersson2007: {
    kind: 'techreport',
    authors: ['Andersson JLR', 'Jenkinson M', 'Smith S'],
    year: 2007,
    title: 'Non-linear registration, aka spatial normalisation',
    where: 'FMRIB Centre, Oxford',
    place: 'TR07JA2',
  },
  andersson2016: article(
    'Andersson JLR, Sotiropoulos SN',
    2016,
    'An integrated approach to correction for off-resonance effects and subject movement in diffusion MR imaging',
    'NeuroImage',
    '125:1063-1078',
    '10.1016/j.neuroimage.2015.10.019',
  ),
  austin2009: article(
    'Austin PC',
    2009,
    'Balance diagnostics for comparing the distribution of baseline covariates between treatment groups in propensity-score matched samples',
    'Statistics in Medicine',
    '28:3083-3107',
    '10.1002/sim.3697',
  ),
  basser1994: article(
    'Basser PJ, Mattiello J, LeBihan D',
    1994,
    'MR diffusion tensor spectroscopy and imaging',
    'Biophysical Journal',
    '66:259-267',
    '10.1016/S0006-3495(94)80775-1',
  ),
  bauer2005: article(
    'Bauer DJ, Curran PJ',
    2005,
    'Probing interactions in fixed and multilevel regression: inferential and graphical techniques',
    'Multivariate Behavioral Research',
    '40:373-400',
    '10.1207/s15327906mbr4003_5',
  ),
  benjamini1995: article(
    'Benjamini Y, Hochberg Y',
    1995,
    'Controlling the false discovery rate: a practical and powerful approach to multiple testing',
    'Journal of the Royal Statistical Society B',
    '57:289-300',
    '10.1111/j.2517-6161.1995.tb02031.x',
  ),
  brown1974: article(
    'Brown MB, Forsythe AB',
    1974,
    'Robust tests for the equality of variances',
    'Journal of the American Statistical Association',
    '69:364-367',
    '10.1080/01621459.1974.10482955',
  ),
  cook1977: article(
    'Cook RD',
    1977,
    'Detection of influential observation in linear regression',
    'Technometrics',
    '19:15-18',
    '10.1080/00401706.1977.10489493',
  ),
  efron1987: article(
    'Efron B',
    1987,
    'Better bootstrap confidence intervals',
    'Journal of the American Statistical Association',
    '82:171-185',
    '10.1080/01621459.1987.10478410',
  ),
  freedman1983: article(
    'Freedman D, Lane D',
    1983,
    'A nonstochastic interpretation of reported significance levels',
    'Journal of Business & Economic Statistics',
    '1:292-298',
    '10.1080/07350015.1983.10509354',
  ),
  gorgolewski2016: article(
    'Gorgolewski KJ, Auer T, Calhoun VD, Craddock RC, et al',
    2016,
    'The brain imaging data structure, a format for organizing and describing outputs of neuroimaging experiments',
    'Scientific Data',
    '3:160044',
    '10.1038/sdata.2016.44',
  ),
  hedges1981: article(
    'Hedges LV',
    1981,
    "Distribution theory for Glass's estimator of effect size and related estimators",
    'Journal of Educational Statistics',
    '6:107-128',
    '10.3102/10769986006002107',
  ),
  holm1979: article(
    'Holm S',
    1979,
    'A simple sequentially rejective multiple test procedure',
    'Scandinavian Journal of Statistics',
    '6:65-70',
  ),
  jenkinson2002: article(
    'Jenkinson M, Bannister P, Brady M, Smith S',
    2002,
    'Improved optimization for the robust and accurate linear registration and motion correction of brain images',
    'NeuroImage',
    '17:825-841',
    '10.1006/nimg.2002.1132',
  ),
  koenker1981: article(
    'Koenker R',
    1981,
    'A note on studentizing a test for heteroscedasticity',
    'Journal of Econometrics',
    '17:107-112',
    '10.1016/0304-4076(81)90062-2',
  ),
  laird1982: article(
    'Laird NM, Ware JH',
    1982,
    'Random-effects models for longitudinal data',
    'Biometrics',
    '38:963-974',
    '10.2307/2529876',
  ),
  mackinnon1985: article(
    'MacKinnon JG, White H',
    1985,
    'Some heteroskedasticity-consistent covariance matrix estimators with improved finite sample properties',
    'Journal of Econometrics',
    '29:305-325',
    '10.1016/0304-4076(85)90158-7',
  ),
  rouder2009: article(
    'Rouder JN, Speckman PL, Sun D, Morey RD, Iverson G',
    2009,
    'Bayesian t tests for accepting and rejecting the null hypothesis',
    'Psychonomic Bulletin & Review',
    '16:225-237',
    '10.3758/PBR.16.2.225',
  ),
  rouder2012: article(
    'Rouder JN, Morey RD',
    2012,
    'Default Bayes factors for model selection in regression',
    'Multivariate Behavioral Research',
    '47:877-903',
    '10.1080/00273171.2012.734737',
  ),
  satterthwaite1946: article(
    'Satterthwaite FE',
    1946,
    'An approximate distribution of estimates of variance components',
    'Biometrics Bulletin',
    '2:110-114',
    '10.2307/3002019',
  ),
  schuirmann1987: article(
    'Schuirmann DJ',
    1987,
    'A comparison of the two one-sided tests procedure and the power approach for assessing the equivalence of average bioavailability',
    'Journal of Pharmacokinetics and Biopharmaceutics',
    '15:657-680',
    '10.1007/BF01068419',
  ),
  schulz2010: article(
    'Schulz KF, Altman DG, Moher D',
    2010,
    'CONSORT 2010 statement: updated guidelines for reporting parallel group randomised trials',
    'BMJ',
    '340:c332',
    '10.1136/bmj.c332',
  ),
  shapiro1965: article(
    'Shapiro SS, Wilk MB',
    1965,
    'An analysis of variance test for normality (complete samples)',
    'Biometrika',
    '52:591-611',
    '10.1093/biomet/52.3-4.591',
  ),
  smith2002: article(
    'Smith SM',
    2002,
    'Fast robust automated brain extraction',
    'Human Brain Mapping',
    '17:143-155',
    '10.1002/hbm.10062',
  ),
  smith2004: article(
    'Smith SM, Jenkinson M, Woolrich MW, Beckmann CF, et al',
    2004,
    'Advances in functional and structural MR image analysis and implementation as FSL',
    'NeuroImage',
    '23(S1):S208-S219',
    '10.1016/j.neuroimage.2004.07.051',
  ),
  tukey1977: {
    kind: 'book',
    authors: ['Tukey JW'],
    year: 1977,
    title: 'Exploratory data analysis',
    where: 'Addison-Wesley',
    place: '',
  },
  welch1947: article(
    'Welch BL',
    1947,
    "The generalization of 'Student's' problem when several different population variances are involved",
    'Biometrika',
    '34:28-35',
    '10.1093/biomet/34.1-2.28',
  ),
};

/** What to cite for each of FSL's tools. */
const OF_TOOL: Readonly<Record<string, readonly string[]>> = {
  topup: ['andersson2003'],
  applytopup: ['andersson2003'],
  eddy: ['andersson2016'],
  mcflirt: ['jenkinson2002'],
  flirt: ['jenkinson2002'],
  fsl_reg: ['jenkinson2002', 'andersson2007'],
  fnirt: ['andersson2007'],
  bet: ['smith2002'],
  dtifit: ['basser1994'],
};

/** A sentence that cites the papers of the tools used; empty where none is known. */
export function citedTools(names: readonly string[]): string {
  const known = names.flatMap((name) => {
    const keys = OF_TOOL[name];
    return keys ? [`${name} ${cite(...keys)}`] : [];
  });
  return known.length === 0
    ? ''
    : `The methods behind the tools: ${known.join(', ')}; their command lines are those of FSL ${cite('smith2004')}.`;
}

/** `[@holm1979; @benjamini1995]`. */
export function cite(...keys: readonly string[]): string {
  return `[${keys.map((key) => `@${key}`).join('; ')}]`;
}

const CITATION = /\[((?:@\w+(?:; )?)+)\]/g;

const keysIn = (citation: string) => [...citation.matchAll(/@(\w+)/g)].map(([, key]) => key);

/** Keys in the order in which the paragraphs cite them. Words in brackets that are no key of {@link REFERENCES} stay words. */
export function citedKeys(paragraphs: readonly string[]): string[] {
  const all = paragraphs.flatMap((text) =>
    [...text.matchAll(CITATION)].flatMap(([, inside]) => keysIn(inside)),
  );
  return [...new Set(all)].filter((key) => Object.hasOwn(REFERENCES, key));
}

/** A paragraph with its citations as numbers that lead to the list. */
export function withNumbers(paragraph: string, keys: readonly string[]): Html {
  const parts = paragraph.split(CITATION);
  return html`${parts.map((part, i) => {
    if (i % 2 === 0) return part;
    const numbers = keysIn(part).flatMap((key) => (keys.includes(key) ? [keys.indexOf(key) + 1] : []));
    if (numbers.length === 0) return `[${part}]`;
    return html`[${numbers.map((n, k) => html`${k > 0 && ', '}<a href="#reference-${n}">${n}</a>`)}]`;
  })}`;
}

/** The numbered list. */
export function referenceList(keys: readonly string[]): Html {
  const line = ({ authors, others, year, title, where, place, doi }: Reference) =>
    html`${authors.join(', ')}${
      others === true && ' et al'
    }. ${title}. <i>${where}</i>${place !== '' && ` ${place.replace('-', '–')}`} (${year}).${
      doi !== undefined && html` <a href="https://doi.org/${doi}">doi:${doi}</a>`
    }`;
  return html`<ol class="references">${keys.map(
    (key, i) => html`<li id="reference-${i + 1}">${line(REFERENCES[key])}</li>\n`,
  )}</ol>`;
}

/** The same as BibTeX, with the keys of the text. */
export function bibtex(keys: readonly string[]): string {
  return keys.map((key) => entry(key, REFERENCES[key])).join('\n');
}

function entry(key: string, { kind, authors, others, year, title, where, place, doi }: Reference): string {
  const [volume, pages] = place.split(':');
  const names = authors.map((author) => {
    const [, family, initials] = /^(.*) ([A-Z]+)$/.exec(author)!;
    return `${family}, ${[...initials].map((letter) => `${letter}.`).join(' ')}`;
  });
  const fields: [string, string | undefined][] = [
    ['author', [...names, ...(others ? ['others'] : [])].join(' and ')],
    // Braces keep capitals such as those of FSL as they are.
    ['title', `{${title}}`],
    [
      { article: 'journal', book: 'publisher', techreport: 'institution' }[kind],
      where.replaceAll('&', '\\&'),
    ],
    ['year', String(year)],
    ...(kind === 'article'
      ? ([
          ['volume', volume],
          ['pages', pages?.replace('-', '--')],
        ] as [string, string | undefined][])
      : []),
    ['number', kind === 'techreport' ? place : undefined],
    ['doi', doi],
  ];
  const lines = fields.flatMap(([name, value]) => (value === undefined ? [] : [`  ${name} = {${value}}`]));
  return `@${kind}{${key},\n${lines.join(',\n')}\n}\n`;
}
