/* Opens a form that stands for Dynamics 365's, lets the script of the solution look at it, prints what it did as JSON.
   Arguments: the script, then a scenario as JSON: {table, id, status, rows | refuses, then}. */
"use strict";
const fs = require("fs");
const vm = require("vm");

const scenario = JSON.parse(process.argv[3]);
const did = { asked: [], notices: [], cleared: 0 };
let status = scenario.status;
let opened = null;

const form = {
    data: {
        addOnLoad: (again) => { opened = again; },
        entity: { getEntityName: () => scenario.table, getId: () => scenario.id },
    },
    getAttribute: (name) => (name === "mag_exportstatus" && status !== undefined ? { getValue: () => status } : null),
    ui: {
        setFormNotification: (text, level, id) => did.notices.push({ text, level, id }),
        clearFormNotification: () => { did.cleared += 1; },
    },
};
const Xrm = {
    WebApi: {
        retrieveMultipleRecords: (table, options) => {
            did.asked.push({ table, options });
            return scenario.refuses ? Promise.reject(new Error("no privilege")) : Promise.resolve({ entities: scenario.rows });
        },
    },
};
const context = vm.createContext({ Xrm, Promise });
vm.runInContext(`${fs.readFileSync(process.argv[2], "utf8")}; this.XeroConnector = XeroConnector;`, context);

(async () => {
    await context.XeroConnector.onLoad({ getFormContext: () => form });
    if (scenario.then !== undefined) {
        status = scenario.then;
        await opened();
    }
    process.stdout.write(JSON.stringify(did));
})();
