// Security for the programs of a benchmark kit that have none: bench.py runs them with it.
//
// Loaded by node --require, it changes what node-opcua and ws are asked for.  With SECURED=plant a
// client and a server of OPC UA have Basic256Sha256 and SignAndEncrypt, and trust everybody; with
// SECURED=clients a WebSocket server has TLS.  SECURED_CERTIFICATE and SECURED_KEY are PEM files.
//
//     node secured.js PROGRAM --port PORT ...
//
// runs a load client that has no TLS: to it PORT is one of this process, which encrypts.

"use strict";
const fs = require("fs");
const https = require("https");
const Module = require("module");
const net = require("net");
const path = require("path");
const tls = require("tls");
const { spawn } = require("child_process");

const applicationUri = "urn:bench:secured";
const certificateFile = process.env.SECURED_CERTIFICATE, privateKeyFile = process.env.SECURED_KEY;

function trusting(opcua) {
    // The folder is bench.py's, which removes it.
    const rootFolder = fs.mkdtempSync(path.join(path.dirname(certificateFile), "pki-"));
    return new opcua.OPCUACertificateManager({ rootFolder, automaticallyAcceptUnknownCertificate: true });
}

function securedOpcua(opcua) {
    class OPCUAServer extends opcua.OPCUAServer {
        constructor(options) {
            super({
                ...options, certificateFile, privateKeyFile, serverCertificateManager: trusting(opcua),
                serverInfo: { ...options.serverInfo, applicationUri },
                securityModes: [opcua.MessageSecurityMode.SignAndEncrypt],
                securityPolicies: [opcua.SecurityPolicy.Basic256Sha256],
            });
        }
    }
    const OPCUAClient = {
        create: (options) => opcua.OPCUAClient.create({
            ...options, certificateFile, privateKeyFile, clientCertificateManager: trusting(opcua), applicationUri,
            securityMode: opcua.MessageSecurityMode.SignAndEncrypt,
            securityPolicy: opcua.SecurityPolicy.Basic256Sha256,
        }),
    };
    return { ...opcua, OPCUAServer, OPCUAClient };
}

function securedWs(ws) {
    class WebSocketServer extends ws.WebSocketServer {
        constructor({ host, port, backlog, ...options }, ready) {
            const cert = fs.readFileSync(certificateFile), key = fs.readFileSync(privateKeyFile);
            const server = https.createServer({ cert, key });
            super({ ...options, server });
            server.listen({ host, port, backlog }, ready);
        }
    }
    return { ...ws, WebSocketServer };
}

function change(name, how) {
    const load = Module._load;
    Module._load = function (request, ...rest) {
        const loaded = load.call(this, request, ...rest);
        return request === name ? how(loaded) : loaded;
    };
}

function main([program, ...args]) {
    const at = args.indexOf("--port") + 1;
    const port = Number(args[at]), ca = fs.readFileSync(certificateFile);
    const tunnel = net.createServer({ noDelay: true }, (plain) => {
        const secure = tls.connect({ host: "127.0.0.1", port, ca });
        secure.setNoDelay(true);
        const end = () => { plain.destroy(); secure.destroy(); };
        for (const side of [plain, secure]) side.on("error", end).on("close", end);
        plain.pipe(secure).pipe(plain);
    });
    tunnel.listen({ host: "127.0.0.1", port: 0, backlog: 1024 }, () => {
        args[at] = String(tunnel.address().port);
        spawn(program, args, { stdio: "inherit" }).on("exit", (code) => process.exit(code === null ? 1 : code));
    });
}

if (require.main === module) main(process.argv.slice(2));
else if (process.env.SECURED === "plant") change("node-opcua", securedOpcua);
else if (process.env.SECURED === "clients") change("ws", securedWs);
