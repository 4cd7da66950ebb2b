/** Names by which workflows are started and spoken to: shared by those who speak and those who listen. */
export const COHORT_WORKFLOW = 'cohortWorkflow';
export const SUBJECT_WORKFLOW = 'subjectWorkflow';
export const ARRIVALS_WORKFLOW = 'arrivalsWorkflow';
/** Signal to a subject that waits for it: the second session is there. */
export const ARRIVED_SIGNAL = 'arrived';
/** Query of a cohort: its table, as a roster. */
export const TABLE_QUERY = 'table';
/** Query of a subject: its steps. */
export const STEPS_QUERY = 'steps';
/** Update of a cohort: sends failed subjects again. */
export const RETRY_UPDATE = 'retry';
/** Query of a cohort: window and pause. */
export const CONTROLS_QUERY = 'controls';
/** Update of a cohort: changes window and pause. */
export const CONTROL_UPDATE = 'control';
/** Query of a cohort with a gate: who waits for a verdict. */
export const REVIEW_QUERY = 'review';
/** Update of a cohort with a gate: a person's verdict on a subject. */
export const VERDICT_UPDATE = 'verdict';
/** Search attribute: name of the study. */
export const STUDY_ATTRIBUTE = 'DeltaMdStudy';
/** Search attribute: `sub-01`. */
export const SUBJECT_ATTRIBUTE = 'DeltaMdSubject';
/** Search attribute: code of a failure. */
export const FAILURE_ATTRIBUTE = 'DeltaMdFailure';
