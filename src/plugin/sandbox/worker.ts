/** A thread for instances of a plugin: takes a channel to the plugin's owner and answers calls on it, one after the other; or takes the snapshot. */
import { parentPort } from 'node:worker_threads'
import { EngineError } from '../../errors.js'
import { openFiles } from '../../wasm/sandbox/guest-files.js'
import { failureOf } from '../../wasm/sandbox/messages.js'
import { CallServer } from './call-server.js'
import { Guard } from './guard.js'
import { OwnerChannel } from './owner-channel.js'
import { takeSnapshot } from './take-snapshot.js'
import type { IdleMessage, ResumeMessage, SnapshotMessage, TakeMessage, ThreadMessage } from './thread-messages.js'

let server: CallServer | null = null

function tell(message: ThreadMessage): void {
  parentPort?.postMessage(message)
}

parentPort?.on('message', (message: TakeMessage | SnapshotMessage | ResumeMessage | IdleMessage) => {
  if ('idle' in message) return
  try {
    if ('resume' in message) serve(message.resume, message.turn)
    else take(message)
  } catch (error) {
    tell({ type: 'failed', error: failureOf(error) })
  }
})
tell({ type: 'warm' })

function take(message: TakeMessage | SnapshotMessage): void {
  const { start, files: shared } = message
  const files = openFiles(start, shared, start)
  tell({ type: 'attached', attachments: files.unions.map(({ attachment }) => attachment) })
  const parts = { ...message, files, guard: new Guard(message.guard) }
  if ('init' in message) {
    tell({ type: 'snapshot', snapshot: takeSnapshot(parts, message) })
    return
  }
  server = new CallServer(parts, new OwnerChannel(message.descriptor))
  serve(message.nonce, 0)
}

function serve(nonce: string, turn: number): void {
  if (server === null) throw new EngineError('INTERNAL', 'a thread of a plugin resumes before it has begun')
  server.serve(Buffer.from(nonce, 'hex'))
  tell({ type: 'stopped', turn })
}
