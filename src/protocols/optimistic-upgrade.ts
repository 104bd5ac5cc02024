/**
 * Upgrades an outbound connection without waiting until the remote agrees on the encryption: the first message of the
 * handshake leaves in the same flight as the proposal. That saves one round trip for every connection that is dialled.
 *
 * Every libp2p implementation reads the proposal to its last byte and leaves what follows to the encryption. It is done
 * only where one encryption is proposed, since nothing else can be proposed on the socket if the remote refuses.
 * Spec: https://github.com/multiformats/multistream-select
 */

import { StreamMessageEvent } from '@libp2p/interface'
import { holdBackAnswer, proposalOf } from './optimistic-stream.ts'
import { runsOnSockets } from '../encryption/tls.ts'
import { choosesProposals } from '../patches/libp2p/proposed-encryptions.ts'
import type { MultiaddrConnection, Upgrader } from '@libp2p/interface'
import type { ProposalOptions } from '../patches/libp2p/proposed-encryptions.ts'

/**
 * An upgrader like this one, except that its outbound upgrades do not wait for the encryption to be agreed on.
 *
 * @param encryptions - the encryptions to propose, in order. @default all of the node, in its order
 */
export function optimisticUpgrader(upgrader: Upgrader, encryptions?: readonly string[]): Upgrader {
  const upgradeOutbound: Upgrader['upgradeOutbound'] = async (
    socket: MultiaddrConnection,
    options: never,
  ) => {
    // a connection that is dialled can still have the server's role, which proposes nothing
    const { initiator } = options as { initiator?: boolean }
    const [encryption, ...others] = encryptions ?? upgrader.getConnectionEncrypters().keys()
    if (
      initiator !== false &&
      encryption !== undefined &&
      others.length === 0 &&
      canBegin(upgrader, encryption)
    )
      assumeAgreement(socket, encryption)
    if (encryptions === undefined) return upgrader.upgradeOutbound(socket, options)
    choosesProposals(upgrader)
    const proposal: ProposalOptions = { encryptions }
    return upgrader.upgradeOutbound(socket, { ...(options as object), ...proposal } as never)
  }
  return Object.assign(Object.create(upgrader) as Upgrader, { upgradeOutbound })
}

/** A transport, made with an upgrader that is optimistic: it proposes the first encryption of the node, and no other. */
export function optimisticTransport<Components extends { upgrader: Upgrader }, Made>(
  create: (components: Components) => Made,
): (components: Components) => Made {
  return components =>
    create(
      Object.create(components, {
        upgrader: { value: firstProposer(components.upgrader) },
      }) as Components,
    )
}

/** False for what takes the socket itself, and with it the remote's answer, see src/encryption/choice.ts. */
function canBegin(upgrader: Upgrader, encryption: string): boolean {
  return !runsOnSockets(upgrader.getConnectionEncrypters().get(encryption))
}

function firstProposer(upgrader: Upgrader): Upgrader {
  const upgradeOutbound: Upgrader['upgradeOutbound'] = async (
    socket: MultiaddrConnection,
    options: never,
  ) => {
    const [first, ...others] = upgrader.getConnectionEncrypters().keys()
    const encryptions = first === undefined || others.length === 0 ? undefined : [first]
    return optimisticUpgrader(upgrader, encryptions).upgradeOutbound(socket, options)
  }
  return Object.assign(Object.create(upgrader) as Upgrader, { upgradeOutbound })
}

/**
 * Answers the proposal of this protocol in the remote's place, and keeps the remote's own answer from the readers. If
 * that turns out to be another one, the connection is aborted with `UnsupportedProtocolError`.
 */
function assumeAgreement(socket: MultiaddrConnection, protocol: string): void {
  const proposal = proposalOf(protocol)
  const assumed = new StreamMessageEvent(proposal)
  const stopHoldingBack = holdBackAnswer(socket, proposal, protocol, event => event === assumed)
  const send = socket.send.bind(socket)
  socket.send = data => {
    socket.send = send
    const canSendMore = send(data)
    // the proposal is the first that is sent
    if (proposal.equals(data.subarray())) socket.dispatchEvent(assumed)
    else stopHoldingBack()
    return canSendMore
  }
}
