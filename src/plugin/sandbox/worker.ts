/** A thread for instances of a plugin: takes a channel to the plugin's owner and answers calls on it, one after the other; or takes the snapshot. */
import { parentPort } from 'node:worker_threads'
import { openFiles } from '../../wasm/sandbox/guest-files.js'
import { failureOf } from '../../wasm/sandbox/messages.js'
import { CallServer } from './call-server.js'
import { OwnerChannel } from './owner-channel.js'
import { takeSnapshot } from './take-snapshot.js'
import type { SnapshotMessage, TakeMessage, ThreadMessage } from './thread-messages.js'

function tell(message: ThreadMessage): void {
  parentPort?.postMessage(message)
}

parentPort?.once('message', (message: TakeMessage | SnapshotMessage) => {
  try {
    const { start, files: shared } = message
    const files = openFiles(start, shared, start)
    tell({ type: 'attached', attachments: files.unions.map(({ attachment }) => attachment) })
    if ('init' in message) {
      tell({ type: 'snapshot', snapshot: takeSnapshot({ ...message, files }, message.init) })
      return
    }
    const channel = new OwnerChannel(message.descriptor)
    channel.synchronize(Buffer.from(message.nonce, 'hex'))
    new CallServer({ ...message, files }, channel).serve()
  } catch (error) {
    tell({ type: 'failed', error: failureOf(error) })
  }
})
tell({ type: 'warm' })
