// Copyright 2026 The ovs-mqtt-proxy authors.
// SPDX-License-Identifier: Apache-2.0
//
// interop_mqttjs.js BROKER 4|5: what a program with MQTT.js does with a broker: QoS 0 to 2,
// retained messages, Wills, sessions; of 5.0 properties, aliases, shared subscriptions.  Exit
// status 0 only if all was as it must be.  Run by test_interop.py in a host's namespace.
'use strict'

const assert = require('assert')
const mqtt = require('mqtt')

const [broker, version] = [process.argv[2], Number(process.argv[3])]
const isV5 = version === 5

async function until (condition, what) {
  const deadline = Date.now() + 5000
  while (!condition()) {
    assert(Date.now() < deadline, 'waited in vain for ' + what)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

async function connect (clientId, options = {}) {
  const messages = []
  const client = mqtt.connect('mqtt://' + broker, {
    clientId, protocolVersion: version, reconnectPeriod: 0, clean: true, ...options
  })
  client.on('message', (topic, payload, packet) => messages.push({
    topic, text: payload.toString(), qos: packet.qos, retain: packet.retain, packet
  }))
  const connack = await new Promise((resolve, reject) => {
    client.on('connect', resolve)
    client.on('error', reject)
  })
  return {
    client,
    messages,
    present: connack.sessionPresent,
    wait: n => until(() => messages.length >= n, `${n} messages of ${clientId}; there are ` +
                     messages.length),
    vanish: () => client.stream.destroy()
  }
}

async function qosAndRetained () {
  const sub = await connect('sub')
  const pub = await connect('pub')
  const granted = await sub.client.subscribeAsync({ 't/#': { qos: 2 }, u: { qos: 0 } })
  assert.deepStrictEqual(granted.map(g => g.qos), [2, 0])
  for (const qos of [0, 1, 2]) {
    await pub.client.publishAsync('t/' + qos, 'x'.repeat(100000), { qos })
  }
  await sub.wait(3)
  assert.deepStrictEqual(sub.messages.map(m => [m.topic, m.qos, m.text.length, m.retain]),
    [0, 1, 2].map(q => ['t/' + q, q, 100000, false]))
  await Promise.all([...Array(200).keys()].map(i =>
    pub.client.publishAsync('t/many', String(i), { qos: 1 + i % 2 })))
  await sub.wait(203)
  for (const qos of [1, 2]) { // Each in its order; of QoS 2 one hears after PUBREL.
    assert.deepStrictEqual(sub.messages.slice(3).filter(m => m.qos === qos).map(m => +m.text),
      [...Array(200).keys()].filter(i => i % 2 === qos - 1))
  }
  await pub.client.publishAsync('r/x', 'kept', { qos: 1, retain: true })
  const late = await connect('late')
  await late.client.subscribeAsync('r/+', { qos: 1 })
  await late.wait(1)
  assert.deepStrictEqual(late.messages.map(m => [m.text, m.retain]), [['kept', true]])
  await pub.client.publishAsync('r/x', '', { qos: 1, retain: true })
  await late.client.unsubscribeAsync('r/+')
  for (const each of [sub, pub, late]) await each.client.endAsync()
}

async function willsAndSessions () {
  const stored = isV5 ? { clean: false, properties: { sessionExpiryInterval: 1000 } }
    : { clean: false }
  const watcher = await connect('watcher')
  await watcher.client.subscribeAsync('will/#', { qos: 2 })
  const will = { topic: 'will/d', payload: Buffer.from('gone'), qos: 1, retain: false }
  const doomed = await connect('doomed', { will })
  doomed.vanish()
  await watcher.wait(1)
  const polite = await connect('polite', { will })
  await polite.client.endAsync()
  const keeper = await connect('keeper', stored)
  assert.strictEqual(keeper.present, false)
  await keeper.client.subscribeAsync('k/#', { qos: 2 })
  keeper.vanish()
  const pub = await connect('pub')
  for (const qos of [1, 2, 1]) await pub.client.publishAsync('k/' + qos, 'missed', { qos })
  const again = await connect('keeper', stored)
  assert.strictEqual(again.present, true)
  await again.wait(3)
  assert.deepStrictEqual(again.messages.map(m => m.topic + ' ' + m.qos).sort(),
    ['k/1 1', 'k/1 1', 'k/2 2'])
  await again.client.endAsync()
  const clean = await connect('keeper')
  assert.strictEqual(clean.present, false)
  assert.strictEqual(watcher.messages.length, 1, 'no Will after DISCONNECT')
  for (const each of [watcher, pub, clean]) await each.client.endAsync()
}

async function version5 () {
  const sub = await connect('sub5', { properties: { topicAliasMaximum: 4, receiveMaximum: 3 } })
  const pub = await connect('pub5', { autoUseTopicAlias: true, autoAssignTopicAlias: true })
  await sub.client.subscribeAsync('p/#', {
    qos: 1, nl: true, rap: true, properties: { subscriptionIdentifier: 268435455 }
  })
  const properties = {
    userProperties: { z: ['1', '3'], a: '2' },
    responseTopic: 'answer',
    correlationData: Buffer.from([0, 255]),
    contentType: 'text/plain',
    messageExpiryInterval: 100,
    payloadFormatIndicator: true
  }
  for (let i = 0; i < 3; i++) {
    await pub.client.publishAsync('p/1', 'hello', { qos: 1, retain: true, properties })
  }
  await sub.client.publishAsync('p/own', 'mine', { qos: 1 })
  await sub.wait(3)
  for (const m of sub.messages) {
    const p = m.packet.properties
    assert.strictEqual(m.topic, 'p/1')
    assert.strictEqual(m.retain, true)
    assert.deepStrictEqual({ ...p.userProperties }, properties.userProperties)
    assert.strictEqual(p.responseTopic, 'answer')
    assert.deepStrictEqual(p.correlationData, properties.correlationData)
    assert.strictEqual(p.contentType, 'text/plain')
    assert.strictEqual(p.payloadFormatIndicator, true)
    assert.strictEqual(p.subscriptionIdentifier, 268435455)
    assert(p.messageExpiryInterval >= 95 && p.messageExpiryInterval <= 100)
  }
  const members = [await connect('m1'), await connect('m2')]
  for (const m of members) await m.client.subscribeAsync('$share/g/s', { qos: 1 })
  for (let i = 0; i < 10; i++) await pub.client.publishAsync('s', String(i), { qos: 1 })
  await until(() => members[0].messages.length + members[1].messages.length === 10, 'shared')
  assert.strictEqual(members[0].messages.length, 5)
  assert.strictEqual(sub.messages.length, 3, 'No Local')
  for (const each of [sub, pub, ...members]) await each.client.endAsync()
}

async function main () {
  await qosAndRetained()
  await willsAndSessions()
  if (isV5) await version5()
}

main().then(() => process.exit(0), error => {
  console.error(error)
  process.exit(1)
})
