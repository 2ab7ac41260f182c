"""The ten calls as a table. The routes of the server and its OpenAPI 3.1 description are made from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_MAYBE_TEXT: Schema = {"type": ["string", "null"]}
_FLAG: Schema = {"type": "boolean"}


def _id(prefix: str) -> Schema:
    return {"type": "string", "pattern": f"^{prefix}[A-Za-z0-9]{{{12 - len(prefix)}}}$"}


def _object(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    return {"type": "object", "properties": required | (optional or {}), "required": list(required)}


def _list(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def _named(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_AMOUNT: Schema = {
    "description": "In the currency's major unit, above 0, with no more decimals than the currency has.",
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": r"^[0-9]*[1-9][0-9]*(\.[0-9]+)?$"},
    ],
}
_SCHEMAS: dict[str, Schema] = {
    "Keys": _object(
        {"accessKey": {"type": "string", "minLength": 1}, "secretKey": {"type": "string", "minLength": 1}}
    ),
    "Pair": _object({"accessToken": _TEXT, "refreshToken": _TEXT}),
    "Currency": _object(
        {"id": _id("c_"), "name": _TEXT, "code": _TEXT, "symbol": _TEXT, "type": _TEXT, "userId": _id("us_")}
        | {"isActive": _FLAG, "createdAt": _TEXT},
        {"isDisabled": _FLAG, "updatedAt": _TEXT},
    ),
    "PaymentMethod": _object({"id": _id("pm_"), "name": _TEXT, "isActive": _FLAG}, {"isDisabled": _FLAG}),
    "Order": _object(
        {
            "currencyId": _id("c_"),
            "paymentMethodId": _id("pm_"),
            "amount": _AMOUNT,
            "referenceNumber": {"type": "string", "minLength": 1},
        },
        {"appId": _id("ap_"), "redirectUrl": _TEXT, "interfaceType": _TEXT},
    ),
    "Begun": _object(
        {"pe_txnId": _id("tx_"), "providerOrderId": _TEXT, "amount": _TEXT, "currency": _TEXT},
        {"gateway": _TEXT, "method": _TEXT, "mode": _TEXT, "config": {"type": "object"}},
    ),
    "Process": _object({"pe_txnId": _id("tx_")}, {"payment_status": _TEXT}),
    "Processed": _object({"order": _object({"id": _TEXT, "pe_txnId": _id("tx_"), "status": _TEXT})}),
    "Transaction": _object(
        {
            # The made-up merchant has some broken records, in which these fields are null.
            "id": _MAYBE_TEXT,
            "amount": {"type": ["string", "number", "null"]},
            "createdAt": _MAYBE_TEXT,
            "updatedAt": _TEXT,
            "currencyCode": _TEXT,
            "currencyId": _TEXT,
            "status": _TEXT,
            "isPaid": _FLAG,
        },
        dict.fromkeys(
            ("referenceNumber", "providerOrderId", "providerTxnId", "providerName", "paymentType"),
            _MAYBE_TEXT,
        ),
    ),
    "Error": _object({"status": {"type": "integer"}, "code": {"type": "integer"}, "message": _TEXT}),
}


@dataclass(frozen=True)
class Call:
    """One call: its route, and its description."""

    name: str
    method: str
    path: str  # as Starlette writes it
    summary: str
    result: Schema
    security: tuple[str | tuple[str, ...], ...] = ()  # one of these is needed; of a tuple all
    body: str = ""
    query: tuple[tuple[str, Schema], ...] = ()
    refused: tuple[int, ...] = (400,)
    leads_to: tuple[tuple[str, str, str], ...] = ()
    """The calls that use the answer: (call, its parameter or field, where its value is in the result)."""

    @property
    def succeeds(self) -> int:
        """The HTTP status of success."""
        return 201 if self.method == "POST" else 200


_DAY: Schema = {"type": "string", "format": "date"}
_NUMBER: Schema = {"type": "integer", "minimum": 1, "maximum": 999_999_999}
_BEARER = ("accessToken",)
CALLS = (
    Call(
        "generate_token", "POST", "/auth/generate-token/{appId}", "A new access and refresh token.", _named("Pair"),
        body="Keys", refused=(400, 404),
    ),
    Call(
        "generate_signature", "POST", "/auth/generate-signature/{appId}", "A signature for a payment.", _TEXT,
        body="Keys", refused=(400, 404),
    ),
    Call(
        "refresh_token", "POST", "/auth/refresh-token", "A new pair for a refresh token.", _named("Pair"),
        security=("refreshToken",), refused=(400, 401, 404),
    ),
    Call(
        "list_currencies", "GET", "/currencies", "The currencies.", _list(_named("Currency")),
        security=_BEARER, refused=(400, 401), leads_to=(("list_payment_methods", "currencyId", "0/id"),),
    ),
    Call(
        "list_payment_methods", "GET", "/{currencyId}/payment-methods", "How a currency can be paid.",
        _list(_named("PaymentMethod")), security=_BEARER, refused=(400, 401),
    ),
    Call(
        "initiate", "POST", "/transaction/initiate", "Begin a payment.", _named("Begun"),
        security=("signature", "accessToken", ("accessKey", "secretKey")), body="Order", refused=(400, 401, 404),
        leads_to=(("process", "pe_txnId", "pe_txnId"), ("by_id", "txnId", "pe_txnId")),
    ),
    Call(
        "process", "POST", "/transaction/process", "Process a payment.", _named("Processed"),
        security=("signature",), body="Process", refused=(400, 401, 404),
    ),
    Call(
        "by_id", "GET", "/transaction/txnId/{txnId}", "The transaction with this id.", _named("Transaction"),
        security=_BEARER, refused=(400, 401, 404),
    ),
    # A reference may hold a slash. It is already decoded here.
    Call(
        "by_reference", "GET", "/transaction/referenceNo/{referenceNumber:path}",
        "The newest transaction with this reference.", _named("Transaction"), security=_BEARER, refused=(400, 401, 404),
    ),
    Call(
        "list_transactions", "GET", "/transaction", "Fetch All Transactions: a page, of some days or of all.",
        _list(_named("Transaction")), security=_BEARER, refused=(400, 401),
        leads_to=(("by_id", "txnId", "0/id"), ("by_reference", "referenceNumber", "0/referenceNumber")),
        query=(("fromDate", _DAY), ("toDate", _DAY), ("page", _NUMBER), ("limit", _NUMBER)),
    ),
)  # fmt: skip
_PATHS: dict[str, Schema] = {
    "appId": _id("ap_"),
    "currencyId": _id("c_"),
    "txnId": _id("tx_"),
    "referenceNumber": {"type": "string", "minLength": 1},
}


def description(base_url: str, examples: Mapping[str, Any]) -> Schema:
    """The OpenAPI description of the server without a profile, at this address.

    `examples` has a value for each parameter of a path, and for each body that is shown.
    """
    paths: dict[str, Schema] = {}
    for call in CALLS:
        operation = _operation(call, examples)
        paths.setdefault(call.path.replace(":path", ""), {})[call.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "KS Pay sandbox",
            "version": "1.0.0",
            "description": "The known part of KS Pay's API, as the sandbox serves it without a profile. With one, "
            "initiate and process answer in other shapes, and calls may be missing: see reconcile sandbox --help.",
        },
        "servers": [{"url": base_url}],
        "paths": paths,
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {
                "accessToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "refreshToken": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "The refresh token itself, without `Bearer`.",
                },
                "signature": {"type": "apiKey", "in": "header", "name": "x-signature"},
                "accessKey": {"type": "apiKey", "in": "header", "name": "accessKey"},
                "secretKey": {"type": "apiKey", "in": "header", "name": "secretKey"},
            },
        },
    }


def _operation(call: Call, examples: Mapping[str, Any]) -> Schema:
    envelope = _object(
        {"status": {"const": call.succeeds}, "message": {"const": "success"}, "result": call.result}
    )
    success: Schema = {"description": "Success.", "content": _json(envelope)}
    if call.leads_to:
        success["links"] = {name: _link(name, field, place) for name, field, place in call.leads_to}
    answers = {str(call.succeeds): success}
    for status in call.refused:
        answers[str(status)] = {"description": "Refused.", "content": _json(_named("Error"))}
    in_path = {name: schema for name, schema in _PATHS.items() if f"{{{name}" in call.path}
    operation: Schema = {
        "operationId": call.name,
        "summary": call.summary,
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": schema, "example": examples[name]}
            for name, schema in in_path.items()
        ]
        + [{"name": name, "in": "query", "schema": schema} for name, schema in call.query],
        "responses": answers,
        "security": [
            {name: [] for name in ([names] if isinstance(names, str) else names)} for names in call.security
        ],
    }
    if call.body:
        shown = {"example": examples[call.body]} if call.body in examples else {}
        body = {"schema": _named(call.body)} | shown
        content = {"application/json": body, "application/x-www-form-urlencoded": body}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}


def _link(name: str, field: str, place: str) -> Schema:
    value = f"$response.body#/result/{place}"
    to_body = any(call.name == name and call.body for call in CALLS)
    return {"operationId": name} | (
        {"requestBody": {field: value}} if to_body else {"parameters": {field: value}}
    )
