"""Switches of the uploads and of the schema behind them. Each says why its default is the default.

A status that moves back never undoes a goal: the contacts page says so, so there is no switch for it. Lists of a
counter's own (CUSTOM_LIST) cannot be made at Metrica by any documented call, so not here either.
"""

from django.utils.translation import gettext_lazy as _

from apps.sandbox.switch import Switch

UPLOAD_SWITCHES = (
    # The newer builds of contacts and maporderstatuses-about let both types reach a goal, and live counters have
    # all four; the article's example with the dental clinics still says that a cancelled order reaches nothing.
    Switch(
        "cancelled_goal",
        _("The types CANCELLED and SPAM"),
        {
            "reached": _("reach a CRM goal of their own"),
            "none": _("reach no goal of their own, as in the article's example"),
        },
    ),
    # The example of the life cycle sends IN_PROGRESS first; the example of the detailed format gives a status of type
    # OTHER its own goals only.
    Switch(
        "first_other",
        _("An order whose first status is of type OTHER"),
        {
            "own": _("reaches the goals of its status only"),
            "created": _("reaches “CRM: Order created” too"),
        },
    ),
    # No sample of a refusal is published; the error table has invalid_uploading for incorrect files.
    Switch(
        "refusal",
        _("A file that cannot be used is answered"),
        {
            "envelope": _("with status 400 and the error envelope"),
            "failed": _("with status 200 and an upload that has FAILED"),
        },
    ),
    # PASSED and FAILED are statuses of a whole upload, and no answer has a list of rows.
    Switch(
        "bad_row",
        _("A row that is not valid"),
        {
            "file": _("makes the whole file refused"),
            "row": _("is left out, the others are applied"),
        },
    ),
    # Two generations of the column list call it required; a sample with an empty id is published all the same.
    Switch(
        "simple_id",
        _("The order's id in the simple format"),
        {
            "optional": _("may be empty or left out"),
            "required": _("is required"),
        },
    ),
    # Stated for the detailed format only; the documents tell to push the mapping before its statuses are used.
    Switch(
        "mapped_status_in_simple",
        _("A mapped status in the simple format"),
        {
            "known": _("has its type and goals, as in the detailed format"),
            "unknown": _("is an unknown status"),
        },
    ),
    Switch(
        "status_case",
        _("Upper and lower case of statuses and goals"),
        {
            "exact": _("matter: “paid” is not “PAID”"),
            "ignored": _("do not matter"),
        },
    ),
    # UTF-8 without a byte order mark is what is known to work.
    Switch(
        "byte_order_mark",
        _("A byte order mark at the start of a CSV file"),
        {
            "refuse": _("makes the file refused"),
            "accept": _("is left out"),
        },
    ),
    Switch(
        "encoding",
        _("A CSV file that is not UTF-8"),
        {
            "utf8": _("is refused"),
            "cp1251": _("is read as Windows-1251"),
        },
    ),
    Switch(
        "duplicate_column",
        _("A column that is in the header twice"),
        {
            "refuse": _("makes the whole file refused"),
            "first": _("counts where it stands first"),
        },
    ),
    # `elements_count` of zero is nowhere to be seen, and the JSON schema asks for a least number of elements.
    Switch(
        "no_rows",
        _("An upload without rows"),
        {
            "refuse": _("is refused"),
            "accept": _("passes and changes nothing"),
        },
    ),
    # Not listed among the parameters of simple_orders.
    Switch(
        "simple_columns_mapping",
        _("columns_mapping with the simple format"),
        {
            "ignore": _("is not looked at"),
            "apply": _("renames the columns, as in the detailed format"),
            "refuse": _("is an error"),
        },
    ),
    # The entity type SIMPLE_ORDER exists, its columns are described nowhere.
    Switch(
        "simple_attributes",
        _("A column of the simple format that is an attribute of SIMPLE_ORDER"),
        {
            "unknown": _("is an unknown column"),
            "ignore": _("is taken and left out"),
        },
    ),
    # "Map" and the rule that what an upload does not name is not touched; no page tells how to delete a status.
    Switch(
        "status_mapping",
        _("A new list of mapped statuses"),
        {
            "merge": _("changes the statuses that it names and leaves the others"),
            "replace": _("takes the place of the old one"),
        },
    ),
    # No number is named.
    Switch(
        "mapped_statuses",
        _("Mapped statuses that a counter may have"),
        {
            "any": _("any number"),
            "100": _("at most 100; what goes beyond is answered with limit_exceeded"),
        },
    ),
    # The schema says array; the published samples pass one text.
    Switch(
        "bare_goal",
        _("goal_action_ids of a mapped status as one text instead of a list"),
        {
            "accept": _("are that one goal"),
            "refuse": _("are an error"),
        },
    ),
    # Only statuses with a source of their own are described.
    Switch(
        "default_statuses",
        _("The four default statuses in the list of statuses"),
        {
            "hidden": _("are left out"),
            "listed": _("come first"),
        },
    ),
    Switch(
        "existing_attribute",
        _("An attribute that is created again"),
        {
            "update": _("takes over what is new"),
            "conflict": _("is a conflict, status 409"),
        },
    ),
    # Attributes have types, and a file with an error is not loaded.
    Switch(
        "attribute_type",
        _("A value that does not fit the type of its attribute"),
        {
            "refuse": _("makes the row invalid"),
            "accept": _("is taken"),
        },
    ),
    # `entity_type` has SYSTEM_LIST, and the product list is the only list of that kind.
    Switch(
        "products_listed",
        _("A product list among the last uploads"),
        {
            "listed": _("stands as SYSTEM_LIST"),
            "hidden": _("is left out"),
        },
    ),
    # Seen live to be the counter's local time, on a counter in Moscow, where it could as well have been Moscow's.
    Switch(
        "uploading_clock",
        _("The time of an upload, which is written without a zone"),
        {
            "counter": _("is on the counter's clock"),
            "moscow": _("is on Moscow's clock, whatever the counter's"),
        },
    ),
    # The page tells to upload customers as early as possible and promises nothing to orders that came before them: who
    # relies on a second chance here would lose goals at Metrica.
    Switch(
        "later_contacts",
        _("An order that found no visit, when its customer is uploaded later"),
        {
            "leave": _("waits for its own next upload"),
            "rematch": _("is matched again at once, within its 21 days"),
        },
    ),
    Switch(
        "first_contacts",
        _("In the detailed format orders are bound"),
        {
            "after": _("only to visits after the first passed upload of customers"),
            "any": _("to visits before it too"),
        },
    ),
    # contacts-data says that everything about a customer can be changed, modes that the creation date cannot.
    Switch(
        "contact_created",
        _("The creation time of a customer"),
        {
            "kept": _("stays as it was first uploaded"),
            "changed": _("follows the latest upload"),
        },
    ),
    # The schema bounds both lists; the numbers cannot be read.
    Switch(
        "identifiers_per_contact",
        _("Identifiers of one kind that a customer may have"),
        {
            "any": _("any number"),
            "10": _("at most 10"),
            "100": _("at most 100"),
        },
    ),
    # Nothing is said for the CRM formats; offline conversions refuse the future.
    Switch(
        "future_order",
        _("An order that was created in the future"),
        {
            "accept": _("is taken"),
            "refuse": _("makes the row invalid"),
        },
    ),
)
