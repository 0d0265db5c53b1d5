import { fstatSync, readSync } from 'node:fs'
import { EngineError } from '../../errors.js'
import type { OutputStream, Witness } from '../preview1/host.js'
import { ComponentPlayer } from '../recording/component-player.js'
import { ComponentRecorder, type ComponentWitness } from '../recording/component-recorder.js'
import { decodeHeader, HEADER_BYTES } from '../recording/format.js'
import { Divergence, Player } from '../recording/player.js'
import { Recorder } from '../recording/recorder.js'
import type { Outcome } from './messages.js'
import { writeAll } from './output.js'
import type { StartMessage } from './protocol.js'

/** A guest's run as it is recorded, or replayed. */
export interface GuestRecording {
  readonly witness: Witness
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  /** Whether it is the recording that has stopped the guest. */
  isStopped(): boolean
  /** What the guest's end comes to. */
  end(outcome: Outcome): Outcome
}

/** A component's. */
export interface ComponentRecording extends Omit<GuestRecording, 'witness'> {
  readonly witness: ComponentWitness
}

/** What a run is recorded with, or replayed from; null for neither. Throws INVALID_ARCHIVE. */
export function openRecording(recording: StartMessage['recording'], stdout: OutputStream, stderr: OutputStream): GuestRecording | null {
  if (recording === null) return null
  const { mode, descriptor } = recording
  return mode === 'record' ? recorded(descriptor, stdout, stderr) : replayed(descriptor, stdout, stderr)
}

/** The same for a component. */
export function openComponentRecording(
  recording: StartMessage['recording'],
  stdout: OutputStream,
  stderr: OutputStream,
): ComponentRecording | null {
  if (recording === null) return null
  const { mode, descriptor } = recording
  if (mode === 'record') {
    const recorder = new ComponentRecorder((bytes) => writeAll(descriptor, bytes), fstatSync(descriptor).size)
    return { ...watching(recorder, stdout, stderr), witness: recorder }
  }
  const player = new ComponentPlayer(readerOf(descriptor), [stdout, stderr])
  return { ...playing(player, stdout, stderr), witness: player }
}

function recorded(descriptor: number, stdout: OutputStream, stderr: OutputStream): GuestRecording {
  const recorder = new Recorder((bytes) => writeAll(descriptor, bytes), fstatSync(descriptor).size)
  return { ...watching(recorder, stdout, stderr), witness: recorder }
}

type Streams = Omit<GuestRecording, 'witness'>

function watching(recorder: Pick<Recorder, 'watched' | 'full' | 'end'>, stdout: OutputStream, stderr: OutputStream): Streams {
  return {
    stdout: recorder.watched(1, stdout),
    stderr: recorder.watched(2, stderr),
    isStopped: () => recorder.full !== null,
    end(outcome) {
      if (recorder.full !== null) return { kind: 'stopped', reason: 'limit', detail: recorder.full.message }
      recorder.end(...endOf(outcome))
      return outcome
    },
  }
}

function replayed(descriptor: number, stdout: OutputStream, stderr: OutputStream): GuestRecording {
  const player = new Player(readerOf(descriptor), [stdout, stderr])
  return { ...playing(player, stdout, stderr), witness: player }
}

/** Gives what comes after the header, piece by piece. */
function readerOf(descriptor: number): (length: number) => Buffer | null {
  const { size } = fstatSync(descriptor)
  const readAt = (position: number, length: number): Buffer => {
    const bytes = Buffer.allocUnsafe(length)
    for (let filled = 0; filled < length; ) {
      const count = readSync(descriptor, bytes, filled, length - filled, position + filled)
      if (count === 0) return bytes.subarray(0, filled)
      filled += count
    }
    return bytes
  }
  let position = decodeHeader(readAt(0, Math.min(size, HEADER_BYTES))).end
  return (length) => {
    if (position + length > size) return null
    position += length
    return readAt(position - length, length)
  }
}

function playing(player: Pick<Player, 'isStopped' | 'end'>, stdout: OutputStream, stderr: OutputStream): Streams {
  return {
    stdout,
    stderr,
    isStopped: () => player.isStopped,
    end(outcome) {
      try {
        player.end(...endOf(outcome))
        return outcome
      } catch (error) {
        if (!(error instanceof Divergence) && !(error instanceof EngineError)) throw error
        return { kind: 'stopped', reason: 'diverged', detail: error.message }
      }
    },
  }
}

function endOf(outcome: Outcome): [exitCode: number, signal: number | null, isTrap: boolean] {
  return outcome.kind === 'exit' ? [outcome.exitCode, outcome.signal, false] : [0, null, true]
}
