<?php
// A script as people write them for Metrica: PHP's cURL, and a file of which nobody said what type it has.
[, $host, $token, $counter, $file] = $argv;

function call(string $path, $body = null): array
{
    global $host, $token, $counter;
    $curl = curl_init("$host/cdp/api/v1/counter/$counter/$path");
    if ($body !== null) {
        curl_setopt($curl, CURLOPT_POST, true);
        curl_setopt($curl, CURLOPT_POSTFIELDS, $body);
    }
    curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
    curl_setopt($curl, CURLOPT_HTTPHEADER, ["Authorization: OAuth $token"]);
    $answer = json_decode(curl_exec($curl), true);
    if (curl_getinfo($curl, CURLINFO_RESPONSE_CODE) !== 200) {
        fwrite(STDERR, $answer['errors'][0]['error_type'] . ': ' . $answer['message']);
        exit(1);
    }
    return $answer;
}

$sent = call('data/simple_orders?merge_mode=SAVE&delimiter_type=COMMA', ['file' => curl_file_create(realpath($file))]);
$orders = ['orders' => [[
    'id' => 'P-1', 'client_uniq_id' => 'C-1', 'client_type' => 'CONTACT', 'order_status' => 'PAID',
    'create_date_time' => date('Y-m-d H:i:s', time() - 86400), 'revenue' => 0.1 + 0.2,
]]];
call('data/orders?merge_mode=UPDATE', json_encode($orders));  // cURL calls this a form; it is JSON all the same
$listed = array_column(call('last_uploadings')['uploadings'], 'uploading_id');
echo json_encode(['uploading' => $sent['uploading'], 'listed' => $listed]);
