/**
 * How a connection to Temporal is secured: by the environment variables of Temporal's own CLI (TEMPORAL_TLS_...,
 * TEMPORAL_API_KEY), which `temporal` and delta-md so share. They belong to the address given with them, in
 * TEMPORAL_ADDRESS or --temporal-address; the embedded server, which nobody names, listens to this machine only and
 * in plain text.
 */
import { type ClientConnectConfig, loadClientConnectConfig } from '@temporalio/envconfig';
import { CommandError, EXIT } from '../exit-codes.ts';

/** @throws CommandError where a certificate or key named by a variable cannot be read */
function environment(): ClientConnectConfig['connectionOptions'] {
  try {
    return loadClientConnectConfig({ disableFile: true }).connectionOptions;
  } catch (error) {
    throw new CommandError(
      `The TEMPORAL_* variables cannot be followed: ${(error as Error).message}`,
      EXIT.badInput,
    );
  }
}

/** Options with which clients and workers connect to an address. @throws CommandError as above */
export function connectionOptions(address: string): ClientConnectConfig['connectionOptions'] {
  return address === process.env['TEMPORAL_ADDRESS'] ? environment() : { address };
}

/** For messages about a server that does not answer: what was tried, and what may be missing. */
export function howSecured(address: string): string {
  const { tls, apiKey } = connectionOptions(address);
  if (!tls) return 'without TLS (the TEMPORAL_TLS_* variables say how to use it)';
  if (apiKey) return 'by TLS, with the API key of TEMPORAL_API_KEY';
  if (tls === true || !tls.clientCertPair) return 'by TLS, without a client certificate';
  return 'by TLS, with the client certificate of TEMPORAL_TLS_CLIENT_CERT_PATH';
}
