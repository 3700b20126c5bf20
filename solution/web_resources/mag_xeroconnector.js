/* Says on top of an invoice or a credit note why it is not in Xero yet, from the newest Sync History row.
   Registered on the OnLoad of the main forms; it reads, and never writes. */
var XeroConnector = (function () {
    "use strict";

    var NOTICE = "mag_xeroconnector_notice";
    var LONGEST = 600;
    var LOOKUPS = { invoice: "mag_invoiceid", mag_creditnote: "mag_creditnoteid" };
    /* export status → the sync status of the row that explains it, the level of the notice, and how it begins */
    var SAYINGS = {
        411140002: { history: 411140001, level: "ERROR", opening: "Not in Xero." },
        411140003: { history: 411140002, level: "INFO", opening: "Waiting to go to Xero." }
    };

    function onLoad(executionContext) {
        var form = executionContext.getFormContext();
        form.data.addOnLoad(function () { tell(form); });
        return tell(form);
    }

    function tell(form) {
        var status = form.getAttribute("mag_exportstatus");
        var saying = status && SAYINGS[status.getValue()];
        var table = form.data.entity.getEntityName();
        var id = form.data.entity.getId().replace(/[{}]/g, "").toLowerCase();
        if (!saying || !id || !LOOKUPS[table]) {
            form.ui.clearFormNotification(NOTICE);
            return Promise.resolve();
        }
        return Xrm.WebApi.retrieveMultipleRecords("mag_synchistory", question(LOOKUPS[table], id, saying.history)).then(
            function (answer) { show(form, saying, sentence(answer.entities[0])); },
            function () { show(form, saying, ""); }
        );
    }

    function question(lookup, id, history) {
        return "?$select=mag_details,mag_cause,mag_fix,mag_whoacts" +
            "&$filter=_" + lookup + "_value eq " + id + " and mag_syncstatus eq " + history +
            "&$orderby=mag_eventon desc&$top=1";
    }

    function sentence(row) {
        if (!row) { return ""; }
        var who = row["mag_whoacts@OData.Community.Display.V1.FormattedValue"];
        return [
            row.mag_cause || row.mag_details,
            row.mag_fix && "What to do: " + row.mag_fix,
            who && "Who: " + who + "."
        ].filter(Boolean).join(" ");
    }

    function show(form, saying, text) {
        var whole = saying.opening + " " + (text || "Its Sync History says why.");
        var shown = whole.length > LONGEST ? whole.slice(0, LONGEST - 1) + "…" : whole;
        form.ui.setFormNotification(shown, saying.level, NOTICE);
    }

    return { onLoad: onLoad };
}());
