"""The same recordings on the programs of others, each in a process of its own."""

from engine.runtime.telemetry import leave_out_openvino_telemetry

leave_out_openvino_telemetry()  # before any adapter imports OpenVINO or NNCF
