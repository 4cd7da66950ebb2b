/** Names by which workflows are started and spoken to: shared by those who speak and those who listen. */
export const COHORT_WORKFLOW = 'cohortWorkflow';
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
