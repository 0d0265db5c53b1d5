import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { FIRST_DESCRIPTOR, type LaunchOptions, launch } from '../launcher/client.js'
import type { IdMap } from '../launcher/id-map.js'
import { idMapOperations } from '../launcher/id-map.js'
import type { Operation } from '../launcher/operations.js'
import { encodeTreeRecord, type TreeRecord, treeStreamStart } from '../launcher/tree-stream.js'

/** Writes a tree into a directory that is empty, inside a user namespace with the id map. A failure leaves what had been written. */
export async function writeDirectory(
  idMap: IdMap,
  path: string,
  records: Iterable<TreeRecord>,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  await sendRecords([...treeOperations(idMap), ['tree-write', path, FIRST_DESCRIPTOR]], records, {
    descriptors: ['pipe'],
    ...(signal === undefined ? {} : { signal }),
  })
}

/** Has operations done of which one reads these records from the `pipe` among the descriptors. */
export async function sendRecords(
  operations: readonly Operation[],
  records: Iterable<TreeRecord>,
  options: Pick<LaunchOptions, 'descriptors' | 'signal'>,
): Promise<void> {
  const launcher = launch({ operations, exec: null }, options)
  const stream = launcher.streams.find((end) => end !== null)
  // A launcher that fails closes its end; its own words say why.
  const sent = stream ? pipeline(Readable.from(treeStream(records)), stream).catch(() => {}) : undefined
  await launcher.done
  await sent
}

/**
 * Moves what is in one directory into another of the same file system, which has its owner and mode afterwards; what the other has already
 * stays. Begun again after a kill it goes on where it was.
 */
export async function moveInto(idMap: IdMap, from: string, to: string): Promise<void> {
  await launch({ operations: [...treeOperations(idMap), ['tree-move', from, to]], exec: null }).done
}

function treeOperations(idMap: IdMap): Operation[] {
  return [...idMapOperations(idMap), ['namespace', 'mount'], ...substituteOperations(idMap)]
}

/** Under a single-id map every file of an image is its user's, as it is seen from inside. */
export function substituteOperations({ kind }: IdMap): Operation[] {
  return kind === 'single' ? [['tree-substitute', 'owners']] : []
}

const BATCH_BYTES = 256 * 1024

/** The bytes of a stream in pieces large enough that each is worth a system call. */
export function* treeStream(records: Iterable<TreeRecord>): Generator<Buffer> {
  let batch = [treeStreamStart()]
  let size = 0
  for (const record of records) {
    const bytes = encodeTreeRecord(record)
    batch.push(bytes)
    size += bytes.length
    if (size < BATCH_BYTES) continue
    yield Buffer.concat(batch)
    batch = []
    size = 0
  }
  if (batch.length > 0) yield Buffer.concat(batch)
}
