import type { AddressInfo } from 'node:net';
import type { Command } from 'commander';
import { CommandError, EXIT } from '../exit-codes.ts';
import { integer } from '../options.ts';
import { output } from '../output.ts';
import { EncryptionCodec, readKeys } from '../temporal/codec.ts';
import { serveCodec } from '../temporal/codec-server.ts';

interface Options {
  port: number;
  origin: string;
  keyFile?: string;
}

export function register(program: Command): void {
  program
    .command('codec-server')
    .description(
      "Shows encrypted payloads in the Temporal UI: decrypts them on this machine, for this machine's browser. Needs the key file that the workers have.",
    )
    .option('--port <port>', 'port on 127.0.0.1', integer, 8234)
    .option(
      '--origin <url>',
      'address of the Temporal UI; no other page is answered',
      'http://localhost:8233',
    )
    .option('--key-file <file>', 'payload keys (default: $DELTA_MD_PAYLOAD_KEY_FILE)')
    .addHelpText(
      'after',
      '\nExamples:\n  delta-md codec-server --key-file ~/payload.key --origin https://temporal.lab\n\nThen, in the UI, under the spectacles at the top right: http://localhost:8234\n\nExit codes: 0 stopped, 2 no key, 3 port in use',
    )
    .action(async ({ port, origin, keyFile = process.env['DELTA_MD_PAYLOAD_KEY_FILE'] }: Options) => {
      if (!keyFile)
        throw new CommandError('Name the key file: --key-file or DELTA_MD_PAYLOAD_KEY_FILE.', EXIT.badInput);
      const codec = new EncryptionCodec(readKeys(keyFile));
      const server = await serveCodec(codec, port, origin).catch((error: Error) => {
        throw new CommandError(`The codec server cannot start: ${error.message}`, EXIT.infrastructure);
      });
      output(false).say(
        `Codec server: http://localhost:${(server.address() as AddressInfo).port} for ${origin}`,
      );
      await new Promise<void>((stop) => process.once('SIGINT', () => stop()).once('SIGTERM', () => stop()));
      server.close();
      server.closeAllConnections();
    });
}
