/** What a person decides of a subject after looking at its quality, and what waits to be decided. */

export const CHOICES = ['include', 'exclude'] as const;
export type Choice = (typeof CHOICES)[number];

/** A person's word on one subject. */
export interface Decision {
  /** `sub-01` */
  readonly subject: string;
  /** The session that the reason is about, without `ses-`; the decision itself is about the subject. */
  readonly session?: string;
  readonly decision: Choice;
  readonly reason: string;
  /** Name of the person. */
  readonly who: string;
  /** ISO 8601. */
  readonly when: string;
}

/** A decision on its way: the time is taken where it is received. */
export type Verdict = Omit<Decision, 'when'>;

/** A subject that waits for a decision, and why in words. */
export interface Flagged {
  readonly subject: string;
  readonly why: string;
}

/** Far more than a reason needs; a verdict is a payload, and a line of a table. */
const LONGEST = 1000;

/** One line without control characters or quotation marks that tables give a meaning to. */
function oneLine(text: unknown): string {
  if (typeof text !== 'string') return '';
  return text
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .replaceAll('"', "'")
    .trim();
}

const isSaid = (text: string) => text !== '' && !/^(n\/a|na|nan)$/i.test(text);

/** A verdict with its words fit for one line of a table each. Values of a wrong type become empty. */
export function tidied({ subject, session, decision, reason, who }: Verdict): Verdict {
  return {
    subject,
    ...(session === undefined ? {} : { session: oneLine(session).replace(/^ses-/, '') }),
    decision,
    reason: oneLine(reason),
    who: oneLine(who),
  };
}

/** Why a tidied verdict cannot be taken; undefined where it can. */
export function whyRefused({ subject, session, decision, reason, who }: Verdict): string | undefined {
  if (typeof subject !== 'string' || !/^sub-[A-Za-z0-9]+$/.test(subject))
    return `"${subject}" is no subject; write sub-...`;
  if (!CHOICES.includes(decision)) return `"${decision}" is no decision; write include or exclude`;
  if (!isSaid(reason)) return 'a reason is needed';
  if (!isSaid(who)) return 'the name of the reviewer is needed';
  if (reason.length > LONGEST || who.length > LONGEST)
    return `reason and name may have ${LONGEST} characters each`;
  if (session !== undefined && !/^[A-Za-z0-9]+$/.test(session))
    return `"${session}" is no label of a session`;
  return undefined;
}
