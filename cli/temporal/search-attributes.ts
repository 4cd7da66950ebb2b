/** Makes sure that a server knows the search attributes of our workflows. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from '@temporalio/client';
import { SEARCH_ATTRIBUTES } from '../../workflows/search-attributes.ts';
import { CommandError, EXIT } from '../exit-codes.ts';

/** temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD */
const KEYWORD = 2;
/** A server takes new attributes once its caches have noticed them; it lists them before. */
const NOTICE_SECONDS = 60;

async function missing({ operatorService }: Connection, namespace: string): Promise<string[]> {
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
  return SEARCH_ATTRIBUTES.map(({ name }) => name).filter((name) => !(name in (customAttributes ?? {})));
}

/** Registers what is missing. @throws CommandError with the command to run where the server does not let us */
export async function registerSearchAttributes(connection: Connection, namespace: string): Promise<void> {
  const names = await missing(connection, namespace);
  if (names.length === 0) return;
  try {
    await connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(names.map((name) => [name, KEYWORD])),
    });
  } catch (error) {
    // Somebody else may have been first.
    if ((await missing(connection, namespace)).length > 0)
      throw new CommandError(
        `The search attributes ${names.join(', ')} cannot be registered: ${(error as Error).message}\n    Ask whoever runs the server for: ${names.map((name) => `temporal operator search-attribute create --namespace ${namespace} --name ${name} --type Keyword`).join('; ')}`,
        EXIT.infrastructure,
      );
  }
  const until = Date.now() + NOTICE_SECONDS * 1000;
  while (Date.now() < until && !(await areNoticed(connection, namespace, names))) await sleep(200);
}

/** True when the server's frontend, asked for workflows by these attributes, knows what is meant. */
async function areNoticed(connection: Connection, namespace: string, names: string[]): Promise<boolean> {
  const query = names.map((name) => `${name} = 'none'`).join(' OR ');
  return connection.workflowService.countWorkflowExecutions({ namespace, query }).then(
    () => true,
    () => false,
  );
}
