#!/usr/bin/env node
// An SMSC made with the npm package smpp, for the end-to-end tests: a peer that we did not write.
// usage: smsc.js PORT [tls KEY CERT]; prints "listening", then one JSON line for each submit_sm.
// Ids are hex in the response and decimal in the receipt (the commonest quirk of real ones).
'use strict';
const smpp = require('smpp');
const fs = require('fs');

const [port, tls, key, cert] = process.argv.slice(2);
let next = 1000;

function receipt(session, pdu, id) {
    const stat = pdu.destination_addr.endsWith('666') ? 'UNDELIV' : 'DELIVRD';
    session.deliver_sm({
        source_addr: pdu.destination_addr, destination_addr: pdu.source_addr, esm_class: 4,
        short_message: `id:${id} sub:001 dlvrd:001 submit date:2611240000 done date:2611240001 stat:${stat} err:000 text:`,
    });
}

function serve(session) {
    session.on('error', () => session.close());
    session.on('bind_transceiver', (pdu) => {
        if (pdu.password !== 'secret') {
            session.send(pdu.response({ command_status: smpp.ESME_RINVPASWD }));
            return;
        }
        session.send(pdu.response());
        console.log(JSON.stringify({ bind: pdu.system_id, version: pdu.interface_version }));
    });
    session.on('submit_sm', (pdu) => {
        const id = next++;
        session.send(pdu.response({ message_id: id.toString(16) }));
        const body = pdu.short_message;
        console.log(JSON.stringify({
            to: pdu.destination_addr, from: pdu.source_addr, esm_class: pdu.esm_class, data_coding: pdu.data_coding,
            registered: pdu.registered_delivery, udh: body.udh ? Buffer.concat(body.udh.map((u) => Buffer.from(u))).toString('hex') : null,
            message: Buffer.isBuffer(body.message) ? body.message.toString('hex') : body.message,
        }));
        if (pdu.registered_delivery & 1) {
            setTimeout(() => receipt(session, pdu, id), 50);
        }
    });
    session.on('enquire_link', (pdu) => session.send(pdu.response()));
    session.on('unbind', (pdu) => { session.send(pdu.response()); session.close(); });
}

const server = tls === 'tls'
    ? smpp.createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(cert) }, serve)
    : smpp.createServer(serve);
server.listen(Number(port), '127.0.0.1', () => console.log('listening'));
